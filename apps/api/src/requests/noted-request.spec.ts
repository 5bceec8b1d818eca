import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RequestRecord } from '#requests';
import { NotedRequest } from './noted-request.ts';

const RECORD = { requestId: 'r', state: 'queued', epoch: 1 } as RequestRecord;

function noted() {
  const written: object[] = [];
  const writes = {
    create: async (record: object) => void written.push({ create: record }),
    update: async (part: object) => void written.push({ update: part }),
    remove: async () => void written.push({ remove: true }),
  };
  return { written, request: new NotedRequest(writes, RECORD) };
}

describe('NotedRequest', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('writes a request that has ended soon once, at its end', async () => {
    const { written, request } = noted();
    request.change({ state: 'running' });
    request.end({ state: 'finished', completionTokens: 4 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written).toEqual([{ create: { ...RECORD, state: 'finished', completionTokens: 4 } }]);
  });

  it('writes what a longer one has come to a moment after it began, and later changes one after another', async () => {
    const { written, request } = noted();
    request.change({ state: 'running' });
    await vi.advanceTimersByTimeAsync(25);
    expect(written).toEqual([{ create: { ...RECORD, state: 'running' } }]);
    request.change({ epoch: 2 });
    request.change({ epoch: 3 });
    request.end({ state: 'finished' });
    await vi.advanceTimersByTimeAsync(25);
    expect(written.slice(1)).toEqual([{ update: { epoch: 3, state: 'finished' } }]);
  });

  it('writes at once when somebody may have heard of it, and only then', async () => {
    const { written, request } = noted();
    request.change({ state: 'running' });
    request.told();
    await vi.advanceTimersByTimeAsync(0);
    request.told();
    await vi.advanceTimersByTimeAsync(100);
    expect(written).toEqual([{ create: { ...RECORD, state: 'running' } }]);
  });

  it('writes at once when somebody asks', async () => {
    const { written, request } = noted();
    await request.write();
    await request.write();
    expect(written).toEqual([{ create: RECORD }]);
  });

  it('forgets one that was never queued, and writes nothing of it unless something was written', async () => {
    const soon = noted();
    soon.request.remove();
    const late = noted();
    await vi.advanceTimersByTimeAsync(25);
    late.request.remove();
    await vi.advanceTimersByTimeAsync(25);
    expect(soon.written).toEqual([]);
    expect(late.written).toEqual([{ create: RECORD }, { remove: true }]);
  });
});
