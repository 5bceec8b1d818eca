import { expect, it } from 'vitest';
import { topText } from './top-text.ts';

it('top shows queues and workers, each model of a worker in a line', () => {
  const queue = {
    model: 'chat',
    waiting: 12,
    active: 4,
    liveWorkers: 1,
    liveSlots: 4,
    drainRate: 1.5,
    estimatedWaitMs: 8_640,
  };
  const model = { folder: '/m', threads: 2, waiting: 0, memoryBytes: 1, slots: 4, running: 4, problem: null };
  const models = [
    { ...model, model: 'chat', state: 'ready' },
    { ...model, model: 'big', state: 'failed', running: 0, problem: 'needs 9 GB' },
  ];
  const workers = [
    { workerId: 'w1', state: 'ready', memoryLimitBytes: null, rssBytes: 512 * 2 ** 20, models },
    { workerId: 'w2', state: 'loading', memoryLimitBytes: null, rssBytes: null, models: [] },
  ];
  const gone = { ...queue, model: 'gone', waiting: 1, active: 0, liveWorkers: 0, liveSlots: 0, drainRate: 0 };
  expect(topText([queue, gone], workers).split('\n')).toEqual([
    'model  waiting  running  workers  slots  next waits  capacity/s',
    'chat   12       4        1        4      8.6 s       1.50',
    'gone   1        0        0        0      no worker   0.00',
    '',
    'worker  state    memory   model  state   running  problem',
    'w1      ready    512 MiB  chat   ready   4/4',
    'w1      ready    512 MiB  big    failed  0/4      needs 9 GB',
    'w2      loading',
  ]);
});
