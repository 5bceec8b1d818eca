import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { readSettings, WorkerSettings } from '#config';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `millrace bench` of the sources printed, as JSON. */
async function bench(...flags: string[]) {
  const command = ['--conditions=millrace-source', 'apps/cli/src/main.ts', 'bench', '--json', '--seconds', '1'];
  const { stdout } = await run(
    process.execPath,
    [...command, '--model', './test/fixtures/models/tiny-llama', ...flags],
    {
      env: { PATH: process.env.PATH ?? '', MILLRACE_STATE_FOLDER: folder },
    },
  );
  return JSON.parse(stdout);
}

describe('millrace bench', { timeout: 90_000 }, () => {
  it('tells the speed of the runner and of the engine', async () => {
    const { rows } = await bench();
    const names = ['prefill', 'decode, 1 at once', 'decode, 8 at once', 'decode, 32 at once'];
    expect(rows.map(({ name }: { name: string }) => name)).toEqual(names);
    for (const { runner, engine } of rows.slice(1)) {
      expect(runner).toBeGreaterThan(0);
      expect(engine).toBeGreaterThan(0);
    }
  });

  it('writes settings that a worker takes, each of them a candidate, and reads them the next time', async () => {
    const { rows, best, file } = await bench('--tune');
    expect(file).toBe(join(folder, 'tuned.env'));
    const settings = readSettings(WorkerSettings, { MILLRACE_TUNED_FILE: file });
    expect(settings.MILLRACE_THREADS).toBe(best.threads);
    expect(settings.MILLRACE_THREADS).toBeLessThanOrEqual(availableParallelism());
    expect([0, 30, 100]).toContain(settings.MILLRACE_SPIN_US);
    expect([32, 64, 128, 256, 512]).toContain(settings.MILLRACE_PREFILL_CHUNK);
    expect([8, 16, 32]).toContain(settings.MILLRACE_SLOTS);
    const chosen = rows.filter((row: { chosen: boolean }) => row.chosen);
    expect(chosen.map(({ setting }: { setting: string }) => setting)).toEqual([
      ...['threads', 'spinning', 'prefill chunk', 'slots'],
    ]);
    expect((await bench()).settings).toMatchObject({ threads: best.threads, spinUs: best.spinUs });
  });
});
