import { describe, expect, it } from 'vitest';
import { LiveModels, type LiveWorker, liveModelsText } from './live-models.ts';

const model = (name: string, state: string) => ({
  ...{ model: name, folder: name, state, slots: 4, threads: 2, running: 1, waiting: 0 },
  ...{ memoryBytes: 300 << 20, problem: state === 'failed' ? 'no such file' : null },
});
const worker = (workerId: string, ...models: LiveWorker['models']): LiveWorker => ({
  ...{ workerId, state: 'ready', memoryLimitBytes: 1 << 30, rssBytes: 200 << 20, models },
});

/** An API whose workers change with every look. */
function harness(looks: LiveWorker[][]) {
  const calls: string[] = [];
  const said: string[] = [];
  const live = new LiveModels(
    async (method, path) => {
      if (method === 'GET') return { workers: looks.length > 1 ? looks.shift() : looks[0] };
      calls.push(`${method} ${path}`);
      return { model: 'org/m' };
    },
    (line) => said.push(line),
  );
  return { live, calls, said };
}

describe('millrace models load and unload', () => {
  it('ask the only worker, and wait until it has done it', async () => {
    const { live, calls, said } = harness([[worker('w 1')], [worker('w 1', model('org/m', 'ready'))]]);
    await live.load('org/m=folder', { wait: true });
    expect(calls).toEqual(['POST workers/w%201/models']);
    expect(said.at(-1)).toBe('org/m is ready on w 1');
    const away = harness([[worker('w 1', model('org/m', 'ready'))], [worker('w 1')]]);
    await away.live.unload('org/m', { wait: true, graceMs: 5 });
    expect(away.calls).toEqual(['DELETE workers/w%201/models/org%2Fm?graceMs=5']);
    expect(away.said.at(-1)).toBe('org/m is gone from w 1');
  });

  it('want to be told which of several workers, and tell why one failed', async () => {
    const two = [worker('a', model('org/m', 'failed')), worker('b')];
    const { live, calls } = harness([two]);
    await expect(live.load('x', { wait: true })).rejects.toThrow(/--worker all\. There are: a, b/);
    await expect(live.load('x', { wait: true, worker: 'c' })).rejects.toThrow(/no worker "c"/);
    await expect(live.load('x', { wait: true, worker: 'a' })).rejects.toThrow(/could not load "org\/m": no such file/);
    await live.load('x', { wait: false, worker: 'all' });
    expect(calls).toEqual(['POST workers/a/models', 'POST workers/a/models', 'POST workers/b/models']);
    await expect(live.unload('y', { wait: true })).rejects.toThrow(/No worker has the model "y"/);
  });
});

describe('millrace models ps', () => {
  it('shows every model of every worker, and what memory is in use', () => {
    const text = liveModelsText([worker('a', model('m', 'ready'), model('n', 'failed')), worker('b')]);
    expect(text).toMatch(/^a +m +ready +1\/4 +0 +2 +≤ 300 MiB$/m);
    expect(text).toMatch(/^a +n +failed .* no such file$/m);
    expect(text).toMatch(/^b +– +ready$/m);
    expect(text).toContain('a: 200 MiB in use of 1024 MiB');
  });
});
