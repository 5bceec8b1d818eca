import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ApiSettings, formatTunedFile, readSettings, readTunedFile, WorkerSettings } from '#config';

const folder = mkdtempSync(join(tmpdir(), 'millrace-tuned-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, `tuned-${Math.random()}.env`);
  writeFileSync(file, text);
  return file;
}
const written = (processors = availableParallelism()) =>
  fileWith(formatTunedFile({ MILLRACE_THREADS: '3', MILLRACE_CPUS: '0-2' }, processors, ['measured on a test']));

describe('a file of measured settings', () => {
  it('is used where the environment says nothing, by a worker alone', () => {
    const file = written();
    const settings = readSettings(WorkerSettings, { MILLRACE_TUNED_FILE: file });
    expect(settings).toMatchObject({ MILLRACE_THREADS: 3, MILLRACE_CPUS: [0, 1, 2] });
    const said = { MILLRACE_TUNED_FILE: file, MILLRACE_THREADS: '1' };
    expect(readSettings(WorkerSettings, said).MILLRACE_THREADS).toBe(1);
    const api = { MILLRACE_TUNED_FILE: '/nowhere', MILLRACE_DEV_KEY: 'long-enough' };
    expect(() => readSettings(ApiSettings, api)).not.toThrow();
  });

  it('is not used with another number of processors, and says so', () => {
    const environment = { MILLRACE_TUNED_FILE: written(availableParallelism() + 1) };
    expect(readSettings(WorkerSettings, environment).MILLRACE_THREADS).toBe(0);
    expect(readTunedFile(environment)?.unused).toMatch(/measured with \d+ processors, and there are \d+/);
    expect(readTunedFile({})).toBeNull();
  });

  it('is refused when it can not be read, or sets what is not measured, all named at once', () => {
    const attempt = (file: string) => () => readSettings(WorkerSettings, { MILLRACE_TUNED_FILE: file });
    expect(attempt(join(folder, 'nowhere'))).toThrow(/MILLRACE_TUNED_FILE is ".*nowhere": it can not be read.*--tune/);
    const odd = fileWith('MILLRACE_DEV_KEY=secret\nMILLRACE_THREADS=many\n');
    expect(attempt(odd)).toThrow(
      /2 problems[\s\S]*"MILLRACE_DEV_KEY=secret" is none of MILLRACE_THREADS[\s\S]*MILLRACE_THREADS is "many"/,
    );
  });
});
