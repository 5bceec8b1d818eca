import { readFileSync } from 'node:fs';
import { libcFunction } from './libc-function.ts';
import { advise, COLLAPSE, PAGE_BYTES } from './memory-advice.ts';

/**
 * A decode run reads all weights once, by far more memory than the processor's table of recent addresses (TLB) knows in
 * pages of 4 KiB, and under virtualisation each address that it does not know costs a walk through two page tables. ONNX
 * Runtime packs weights into memory of its own and asks for no huge pages, so Linux is asked for them once it has: pages
 * that are all in use are copied together, 2 MiB at a time. What they hold, and how much memory is taken, stays.
 */
const HUGE_PAGE_BYTES = 2n << 20n;
const PAGES = Number(HUGE_PAGE_BYTES / PAGE_BYTES);
/** Where so many were refused in a row the system has none left, and looking for more only takes time. */
const MOST_REFUSALS = 8;
/** Private memory that can be written and is of no file: `begin-end rw-p 00000000 00:00 0 [heap]`. */
const ANONYMOUS = /^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0(?:\s+\[heap\])?\s*$/;

/** `mincore`: which pages are resident, in the lowest bit of each of `pages`. */
type Residency = (address: bigint, bytes: bigint, pages: Uint8Array) => number;
const residency =
  process.arch === 'x64' ? libcFunction<Residency>('int mincore(uintptr_t address, size_t bytes, void *pages)') : null;

/**
 * Goes on beside everything else: copying two megabytes takes some milliseconds, and between any two the thread is free for
 * what waits. It keeps no process alive and never rejects.
 * @returns bytes that are in huge pages now; 0 where the system has none to give
 */
export async function gatherInHugePages(): Promise<number> {
  if (advise === null || residency === null) return 0;
  const resident = new Uint8Array(PAGES);
  let [gathered, refusals] = [0, 0];
  for (const [begin, end] of anonymousRegions()) {
    const first = ((begin + HUGE_PAGE_BYTES - 1n) / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
    for (let at = first; at + HUGE_PAGE_BYTES <= end; at += HUGE_PAGE_BYTES) {
      // A hole would be filled: what is not in use stays the system's.
      if (residency(at, HUGE_PAGE_BYTES, resident) !== 0 || resident.some((page) => (page & 1) === 0)) continue;
      if (advise(at, HUGE_PAGE_BYTES, COLLAPSE) === 0) {
        gathered += Number(HUGE_PAGE_BYTES);
        refusals = 0;
      } else if (++refusals === MOST_REFUSALS) return gathered;
      await new Promise((resolve) => setTimeout(resolve, 0).unref());
    }
  }
  return gathered;
}

/** None where the system does not tell. */
function anonymousRegions(): [bigint, bigint][] {
  let maps: string;
  try {
    maps = readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return [];
  }
  return maps.split('\n').flatMap((line) => {
    const match = ANONYMOUS.exec(line);
    return match === null ? [] : [[BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)] as [bigint, bigint]];
  });
}
