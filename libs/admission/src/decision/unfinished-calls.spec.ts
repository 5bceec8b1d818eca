import { describe, expect, it } from 'vitest';
import { UnfinishedCalls } from './unfinished-calls.ts';

describe('UnfinishedCalls', () => {
  it('tries a failed call again until it succeeds, and then no more', async () => {
    const errors: unknown[] = [];
    const calls = new UnfinishedCalls((error) => errors.push(error));
    let tries = 0;
    await calls.run('settle r1', async () => {
      tries += 1;
      if (tries < 3) throw new Error('away');
    });
    await calls.retry();
    expect([calls.size, errors.length]).toEqual([1, 2]);
    await calls.retry();
    await calls.retry();
    expect([calls.size, tries]).toEqual([0, 3]);
  });
});
