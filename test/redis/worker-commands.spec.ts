import { describe, expect, it } from 'vitest';
import { MillraceError, type WorkerCommand } from '#contracts';
import { askWorker, redisKeys, WorkerCommands } from '#queue';
import { redisOfTests } from '../support/redis-of-tests.ts';

const { redis } = await redisOfTests();
const load = (commandId: string, entry: string): WorkerCommand => ({ action: 'load', commandId, entry });

describe('commands to a worker', () => {
  it('come to this worker alone, one after another, and each is answered', async () => {
    const taken: string[] = [];
    let busy = 0;
    await using _worker = new WorkerCommands({
      redis,
      workerId: 'w:1',
      handle: async (command) => {
        busy += 1;
        expect(busy).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 10));
        busy -= 1;
        const entry = command.action === 'load' ? command.entry : '';
        taken.push(entry);
        if (entry === 'huge') throw new MillraceError('insufficient_memory', 'no room');
        return { outcome: 'begun', model: entry };
      },
      onError: (error) => expect.unreachable(error.message),
    });
    await redis.rpush(redisKeys.workerCommands('w:2'), '{}');
    const refused = expect(askWorker(redis, 'w:1', load('2', 'huge'))).rejects.toMatchObject({
      code: 'insufficient_memory',
      message: 'no room',
    });
    expect(await askWorker(redis, 'w:1', load('1', 'small'))).toBe('small');
    await refused;
    expect(taken.sort()).toEqual(['huge', 'small']);
    expect(await redis.llen(redisKeys.workerCommands('w:2'))).toBe(1);
  });

  it('that were sent before the worker listened are taken, and one of a later release is told and passed over', async () => {
    await redis.rpush(redisKeys.workerCommands('w3'), JSON.stringify({ action: 'dance', commandId: '3' }));
    const asked = askWorker(redis, 'w3', load('4', 'm'));
    const errors: string[] = [];
    await using _worker = new WorkerCommands({
      redis,
      workerId: 'w3',
      handle: async () => ({ outcome: 'begun', model: 'm' }),
      onError: ({ message }) => errors.push(message),
    });
    expect(await asked).toBe('m');
    expect(errors).toMatchObject([expect.stringContaining('dance')]);
  });
});
