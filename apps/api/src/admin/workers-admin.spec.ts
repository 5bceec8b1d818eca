import { describe, expect, it } from 'vitest';
import type { WorkerCommand, WorkerRecord } from '#contracts';
import { WorkersAdmin } from './workers-admin.ts';

const operator = { tenantId: 'ops', role: 'operator' } as Parameters<WorkersAdmin['list']>[0];
const tenant = { ...operator, role: 'tenant' } as typeof operator;

const record = (workerId: string, more: Partial<WorkerRecord> = {}): WorkerRecord => ({
  ...{ workerId, state: 'ready', startedAtMs: 1, beatAtMs: 2 },
  models: [{ model: 'm', cardHash: 'x', slots: 4, running: 1, waiting: 0 }],
  ...more,
});
const model = {
  ...{ model: 'n', folder: '/n', state: 'failed' as const, slots: 4, threads: 2, running: 0, waiting: 0 },
  ...{ memoryBytes: 7, problem: 'no such file' },
};
const able = record('new', { holding: { models: [model], memoryLimitBytes: 9, rssBytes: 8 } });

function harness(workers: WorkerRecord[]) {
  const asked: [string, WorkerCommand][] = [];
  const ask = async (workerId: string, command: WorkerCommand) => {
    asked.push([workerId, command]);
    return 'n';
  };
  return { admin: new WorkersAdmin({ workers: async () => workers, ask }), asked };
}

describe('WorkersAdmin', () => {
  it('shows all models of a worker, and of one of an older release those that it takes jobs for', async () => {
    const { workers } = await harness([record('old'), able]).admin.list(operator);
    expect(workers).toEqual([
      { workerId: 'new', state: 'ready', startedAtMs: 1, memoryLimitBytes: 9, rssBytes: 8, models: [model] },
      {
        ...{ workerId: 'old', state: 'ready', startedAtMs: 1, memoryLimitBytes: null, rssBytes: null },
        models: [
          {
            ...{ model: 'm', folder: '', state: 'ready', slots: 4, threads: null, running: 1, waiting: 0 },
            ...{ memoryBytes: null, problem: null },
          },
        ],
      },
    ]);
  });

  it('sends a worker what an operator asks for, each time under an id of its own', async () => {
    const { admin, asked } = harness([able]);
    expect(await admin.load(operator, 'new', { model: 'n=/n' })).toEqual({ workerId: 'new', model: 'n' });
    await admin.unload(operator, 'new', 'n', { graceMs: '5' });
    await admin.unload(operator, 'new', 'n', {});
    expect(asked.map(([, command]) => command)).toMatchObject([
      { action: 'load', entry: 'n=/n' },
      { action: 'unload', model: 'n', graceMs: 5 },
      { action: 'unload', model: 'n', graceMs: null },
    ]);
    expect(new Set(asked.map(([, { commandId }]) => commandId)).size).toBe(3);
  });

  it('refuses anybody but operators, unknown workers, and what a worker of an older release can not do', async () => {
    const { admin, asked } = harness([record('old')]);
    await expect(admin.list(tenant)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(admin.load(tenant, 'old', { model: 'n' })).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(admin.load(operator, 'x', { model: 'n' })).rejects.toThrow(/no worker "x" now; there are "old"/);
    await expect(admin.load(operator, 'old', {})).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(admin.unload(operator, 'old', 'm', {})).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toEqual([]);
  });
});
