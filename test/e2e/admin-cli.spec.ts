import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';

const run = promisify(execFile);
let server: RedisServer;
let api: ProductProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  server = await RedisServer.start();
  api = await ProductProcess.start('api', { REDIS_URL: server.url });
}, 120_000);
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** @returns what the command printed, as JSON where it printed any */
async function millrace(args: string[], environment: Record<string, string> = {}) {
  const { stdout } = await run(process.execPath, ['dist/apps/cli/src/main.js', ...args], {
    env: { PATH: process.env.PATH ?? '', MILLRACE_URL: api.url, MILLRACE_API_KEY: TEST_KEY, ...environment },
  });
  return stdout === '' ? null : JSON.parse(stdout);
}

describe('millrace tenants and keys', () => {
  it('make a tenant with credits and a key, and carry all of it to a file and back', async () => {
    await millrace(['tenants', 'set', 'team-a', '{"credits":"metered","weight":3}']);
    await millrace(['tenants', 'grant', 'team-a', '20', 'invoice-1']);
    const created = await millrace(['keys', 'create', 'team-a', '--note', 'ci', '--days', '30']);
    expect(created.key).toMatch(/^sk-mr-/);
    const file = join(folder, 'tenants.json');
    await millrace(['tenants', 'export', file]);
    expect(readFileSync(file, 'utf8')).not.toContain(created.key.slice(12));
    await millrace(['keys', 'revoke', created.record.keyId]);
    expect(await millrace(['keys', 'list', 'team-a'])).toEqual({ keys: [] });
    await millrace(['tenants', 'import', file, '--prune']);
    expect((await millrace(['keys', 'list', 'team-a'])).keys).toMatchObject([{ note: 'ci', role: 'tenant' }]);
    expect(await millrace(['tenants', 'show', 'team-a'])).toMatchObject({ weight: 3, account: { balance: 20 } });
  });

  it('apply a YAML file, say before what it would change, and export the ledger', async () => {
    const made = await millrace(['keys', 'new'], { MILLRACE_URL: 'http://127.0.0.1:9' });
    const file = join(folder, 'tenants.yaml');
    const tenant = `{ id: team-y, weight: 4, credits: 7, keys: [{ keyId: ci, hash: ${made.hash}, prefix: ${made.prefix} }] }`;
    writeFileSync(file, `version: 1\ntenants:\n  - ${tenant}\n`);
    const planned = await millrace(['tenants', 'import', file, '--dry-run']);
    expect(planned.applied).toBe(false);
    expect(planned.changes).toMatchObject([
      { action: 'create', kind: 'tenant', id: 'team-y' },
      { action: 'create', kind: 'key', id: 'ci' },
    ]);
    expect((await millrace(['tenants', 'import', file])).changes).toEqual(planned.changes);
    expect((await millrace(['tenants', 'import', file])).changes).toEqual([]);
    const models = await fetch(`${api.url}/v1/models`, { headers: { authorization: `Bearer ${made.key}` } });
    expect(models.status).toBe(200);

    const usage = join(folder, 'usage.csv');
    expect((await millrace(['ledger', 'export', usage])).exported).toBeGreaterThan(0);
    expect(await millrace(['ledger', 'export', usage])).toEqual({ exported: 0 });
    const [header, ...entries] = readFileSync(usage, 'utf8').trim().split('\n');
    expect(header).toMatch(/^entryId,tenantId,kind/);
    expect(entries.filter((line) => line.includes(',team-y,grant,'))).toHaveLength(1);
    await millrace(['tenants', 'export', file]);
    expect(readFileSync(file, 'utf8')).toMatch(/^version: 1\nprices:/);
    const nothing = join(folder, 'nothing.yaml');
    writeFileSync(nothing, 'tenants: [');
    await expect(millrace(['tenants', 'import', nothing])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('can not be read as YAML or JSON'),
    });
  });

  it('have a look at the queues and workers', async () => {
    const { stdout } = await run(process.execPath, ['dist/apps/cli/src/main.js', 'top', '--once'], {
      env: { PATH: process.env.PATH ?? '', MILLRACE_URL: api.url, MILLRACE_API_KEY: TEST_KEY },
    });
    expect(stdout).toMatch(/^model +waiting .*\n\nworker +state .*\n$/);
  });

  it('take numbers for numbers only: a typing error makes no key that never expires', async () => {
    await millrace(['tenants', 'set', 'team-n', '{}']);
    for (const days of ['abc', '0']) {
      const made = millrace(['keys', 'create', 'team-n', '--days', days]);
      await expect(made).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Give days as a number above 0'),
      });
    }
    expect(await millrace(['keys', 'list', 'team-n'])).toEqual({ keys: [] });
    const granted = millrace(['tenants', 'grant', 'team-n', '5,000', 'invoice-1']);
    await expect(granted).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("'5,000' is invalid") });
  });

  it('say what is wrong and exit with 1', async () => {
    const refused = millrace(['tenants', 'show', 'nobody']);
    await expect(refused).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('no tenant "nobody"') });
    const away = millrace(['tenants', 'list'], { MILLRACE_URL: 'http://127.0.0.1:9' });
    await expect(away).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('set MILLRACE_URL') });
    const keyless = millrace(['tenants', 'list'], { MILLRACE_API_KEY: '', MILLRACE_STATE_FOLDER: folder });
    await expect(keyless).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('MILLRACE_API_KEY') });
  });
});
