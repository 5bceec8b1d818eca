import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gatherInHugePages } from './gather-in-huge-pages.ts';

const BYTES = 16 << 20;

/** Of this process, in bytes; null where the system does not tell. */
function bytesInHugePages(): number | null {
  try {
    const line = /AnonHugePages:\s+(\d+) kB/.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'));
    return line === null ? null : Number(line[1]) * 1_024;
  } catch {
    return null;
  }
}

describe('gathering memory in huge pages', () => {
  it('keeps what the memory holds', async () => {
    const word = (i: number) => Math.imul(i, 2_654_435_761) >>> 0;
    const words = Uint32Array.from({ length: BYTES / 4 }, (_, i) => word(i));
    const gathered = await gatherInHugePages();
    expect(words.every((held, i) => held === word(i))).toBe(true);
    const told = bytesInHugePages();
    if (told !== null && gathered > 0) expect(told).toBeGreaterThan(0);
  });

  it('leaves memory that was never written to the system', async () => {
    const before = process.memoryUsage.rss();
    const untouched = new Float32Array((256 << 20) / 4);
    await gatherInHugePages();
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20);
    expect(untouched[7]).toBe(0);
  });
});
