import { describe, expect, it } from 'vitest';
import type { WorkerRecord, WorkerState } from '#contracts';
import { servedModels } from './served-models.ts';

function worker(workerId: string, state: WorkerState, cardHash: string, startedAtMs = 0): WorkerRecord {
  const models = [{ model: 'm', cardHash, slots: 4, running: 0, waiting: 0 }];
  return { workerId, state, models, startedAtMs, beatAtMs: startedAtMs };
}

describe('servedModels', () => {
  it('counts ready workers and their slots only', () => {
    const smaller = {
      ...worker('c', 'ready', 'x'),
      models: [{ model: 'm', cardHash: 'x', slots: 3, running: 0, waiting: 0 }],
    };
    const draining = {
      ...worker('d', 'draining', 'x'),
      models: [{ model: 'm', cardHash: 'x', slots: 1, running: 0, waiting: 0 }],
    };
    const served = servedModels([worker('a', 'ready', 'x'), worker('b', 'ready', 'x'), smaller, draining]);
    expect(served).toEqual([
      { model: 'm', cardHash: 'x', workers: 3, slots: 11, fewestSlots: 3, state: 'ready', jobVersion: 1 },
    ]);
  });

  it('tells a model that is being loaded from one that is gone', () => {
    expect(servedModels([worker('a', 'loading', 'x')])[0]).toMatchObject({ workers: 0, state: 'loading' });
    expect(servedModels([], new Map([['m', { cardHash: 'x', seenAtMs: 0 }]]))[0]).toMatchObject({
      workers: 0,
      state: 'stopped',
    });
  });

  it('follows the majority during an upgrade, and the newest among equals', () => {
    expect(servedModels([worker('a', 'ready', 'old', 1), worker('b', 'ready', 'new', 2)])[0]?.cardHash).toBe('new');
    const majority = [worker('a', 'ready', 'old', 1), worker('b', 'ready', 'old', 1), worker('c', 'ready', 'new', 2)];
    expect(servedModels(majority)[0]).toMatchObject({ cardHash: 'old', workers: 2 });
  });
});
