import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { doctor } from './doctor.ts';

let folder: string;
let lines: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-doctor-'));
  lines = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    lines.push(...text.split('\n'));
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it('doctor names all that is wrong in one run: settings of both processes, folders, the model, names that nothing reads', async () => {
  writeFileSync(join(folder, 'state'), 'a file');
  const code = await doctor({
    ...{ PATH: process.env.PATH, MILLRACE_HTTP_PORT: 'eight', MILLRACE_SLOTS: '0', MILLRACE_QUEUE_PLACES: '-1' },
    ...{ MILLRACE_SLOT: '4', MILLRACE_MODEL: 'nosuch', MILLRACE_STATE_FOLDER: join(folder, 'state') },
  });
  expect(code).toBe(1);
  expect(lines).toContain('PROBLEM  Settings: The configuration has 3 problems:');
  for (const name of ['MILLRACE_HTTP_PORT', 'MILLRACE_SLOTS', 'MILLRACE_QUEUE_PLACES']) {
    expect(lines.filter((line) => line.startsWith(`  ${name} is "`))).toHaveLength(1);
  }
  expect(lines).toContain('careful  Variables: MILLRACE_SLOT is set, and nothing reads it: is MILLRACE_SLOTS meant?');
  expect(lines.filter((line) => /^PROBLEM {2}(State|Model): /.test(line))).toHaveLength(2);
});
