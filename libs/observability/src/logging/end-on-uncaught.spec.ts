import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** A process that says what it was told, and fails. */
function failing(
  source: string,
  tell = 'async (message) => console.log(message)',
): { status: number | null; stderr: string; lines: string[] } {
  const script = `
    import { endOnUncaught } from '#observability';
    endOnUncaught('api', ${tell});
    ${source}
    setInterval(() => {}, 1000);`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=millrace-source', '--input-type=module', '-e', script],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return { status, stderr, lines: stdout.trim().split('\n') };
}

describe('endOnUncaught', () => {
  it.each([
    ['an error', "setTimeout(() => { throw new TypeError('no such row') });", 'uncaughtException', 'no such row'],
    ['a rejection', "void Promise.reject(new TypeError('no such row'));", 'unhandledRejection', 'no such row'],
    ['a rejection without an error', "void Promise.reject('no row');", 'unhandledRejection', 'no row'],
  ])('makes of %s one fatal line, tells its message, and exits with 1', (_, source, origin, message) => {
    const { status, stderr, lines } = failing(source);
    expect([status, stderr, lines.length]).toEqual([1, '', 2]);
    // The logger writes past Node's streams, so either may come first.
    const [logged = '', told] = lines.toSorted((a, b) => Number(b.startsWith('{')) - Number(a.startsWith('{')));
    const record = JSON.parse(logged);
    expect(record).toMatchObject({ level: 'fatal', name: 'api', origin });
    expect(record.err.message).toContain(message);
    expect(record.err.stack).toContain(message);
    expect(told).toContain(message);
  });

  it('waits only shortly for who does not listen', () => {
    const source = "setTimeout(() => { throw new Error('gone') });";
    expect(failing(source, '() => new Promise(() => {})').status).toBe(1);
  });
});
