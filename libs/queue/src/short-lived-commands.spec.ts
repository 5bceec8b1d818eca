import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import './connect-redis.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

const COMMANDS = 20_000;

/** Bytes of the heap that one call leaves behind once the young generation has been collected. */
async function leftBehind(call: (index: number) => Promise<unknown>): Promise<number> {
  for (let index = 0; index < 1_000; index += 1) await call(index);
  collect();
  const before = getHeapStatistics().used_heap_size;
  for (let index = 0; index < COMMANDS; index += 1) await call(index);
  for (let times = 0; times < 3; times += 1) collect({ type: 'minor' });
  return (getHeapStatistics().used_heap_size - before) / COMMANDS;
}

function answered(command: Command): Promise<unknown> {
  setImmediate(() => command.resolve(Buffer.from('OK')));
  return command.promise;
}

describe('commands that were answered', () => {
  it('are gone with the next young collection', { timeout: 60_000 }, async () => {
    expect(await leftBehind((index) => answered(new Command('set', ['key', [index, index, index]])))).toBeLessThan(100);
  });

  it('of scripts are gone, too', { timeout: 60_000 }, async () => {
    const redis = new Redis({ lazyConnect: true });
    redis.defineCommand('twice', { numberOfKeys: 1, lua: 'return 2' });
    const { scriptsSet } = redis as unknown as { scriptsSet: Record<string, { Command: typeof Command }> };
    const Call = scriptsSet.twice!.Command;
    const socket = {};
    const call = (index: number) => {
      const command = new Call('evalsha', ['hash', 1, `key${index}`]);
      command.toWritable(socket);
      return answered(command);
    };
    expect(await leftBehind(call)).toBeLessThan(100);
    redis.disconnect();
  });
});

describe('a command', () => {
  it('answers in the encoding that was asked for, its arguments as text', async () => {
    const command = new Command('get', ['key', 7], { replyEncoding: 'utf8' });
    command.resolve(Buffer.from('ü'));
    await expect(command.promise).resolves.toBe('ü');
    expect(command.args).toEqual(['key', '7']);
  });

  it('has its arguments and its answer transformed', async () => {
    const command = new Command('hset', ['key', new Map([['field', 'a']]) as unknown as Buffer]);
    expect(command.args).toEqual(['key', 'field', 'a']);
    const all = new Command('hgetall', ['key'], { replyEncoding: 'utf8' });
    all.resolve(['field', 'a'] as unknown as Buffer);
    await expect(all.promise).resolves.toEqual({ field: 'a' });
  });

  it('rejects with the error it is given, and within its time limit', async () => {
    const command = new Command('get', ['key']);
    command.reject(new Error('WRONGTYPE'));
    await expect(command.promise).rejects.toThrow('WRONGTYPE');
    const late = new Command('get', ['key']);
    late.setTimeout(5);
    await expect(late.promise).rejects.toThrow('timed out');
  });

  it('with a callback stays as the client makes it', async () => {
    const heard = await new Promise((resolve) => {
      const command = new Command('get', ['key'], { replyEncoding: 'utf8' }, (_error, answer) => resolve(answer));
      command.resolve(Buffer.from('a'));
    });
    expect(heard).toBe('a');
  });
});
