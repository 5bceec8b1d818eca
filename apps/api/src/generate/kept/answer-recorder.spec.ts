import { describe, expect, it } from 'vitest';
import { MillraceError, relay } from '#contracts';
import { createLogger } from '#observability';
import type { KeptEnding, KeptFrames } from '#requests';
import { AnswerLog } from './answer-log.ts';
import { AnswerRecorder } from './answer-recorder.ts';

const id = { tenantId: 'team', requestId: 'r' };
const ENDED: KeptEnding = { state: 'ended', error: null };

function delta(firstIndex: number): relay.Delta {
  return { requestId: 'r', epoch: 1, choice: 0, firstIndex, tokenIds: [firstIndex], text: 't', logprobs: [] };
}

/** A Redis that the test makes fail: `before` the append is done, or `after` it, so that only its answer is lost. */
class KeptFrameList {
  readonly entries: KeptFrames[] = [];
  readonly endings: KeptEnding[] = [];
  readonly failures: ('before' | 'after')[] = [];
  verdict: 'kept' | 'dropped' | 'lost' = 'kept';

  async append(_id: unknown, _owner: string, _epoch: number, payload: Buffer | null, ending: KeptEnding | null) {
    const failure = this.failures.shift();
    if (failure === 'before') throw new MillraceError('unavailable', 'Redis is away.');
    if (this.verdict === 'kept') {
      if (payload !== null) this.entries.push({ entryId: String(this.entries.length + 1), payload });
      if (ending !== null) this.endings.push(ending);
    }
    if (failure === 'after') throw new MillraceError('unavailable', 'Its answer was lost.');
    return this.verdict;
  }

  async frames(_id: unknown, after: string): Promise<KeptFrames[]> {
    return this.entries.filter(({ entryId }) => after === '-' || Number(entryId) > Number(after));
  }

  async firstIndexes(): Promise<number[]> {
    const seen: number[] = [];
    await new AnswerLog(this, id).read({ delta: ({ firstIndex }) => seen.push(firstIndex), finished: () => {} });
    return seen;
  }
}

function recorderOf(kept: KeptFrameList, onLost = () => {}): AnswerRecorder {
  const logger = createLogger('test', 'silent');
  return new AnswerRecorder(kept, { id, owner: 'api-1', epoch: 1, lastBatch: 0, logger, onLost });
}

describe('AnswerRecorder', () => {
  it('writes what came together as one batch, and the end behind it', async () => {
    const kept = new KeptFrameList();
    const recorder = recorderOf(kept);
    for (let index = 0; index < 5; index++) recorder.delta(delta(index));
    await recorder.end(ENDED);
    expect([kept.entries.length, kept.endings]).toEqual([1, [ENDED]]);
    expect(await kept.firstIndexes()).toEqual([0, 1, 2, 3, 4]);
  });

  it('loses nothing while Redis is away, and what was written twice is read once', async () => {
    const kept = new KeptFrameList();
    kept.failures.push('before', 'after', 'after', 'before');
    const recorder = recorderOf(kept);
    for (let index = 0; index < 3; index++) {
      recorder.delta(delta(index));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await recorder.end(ENDED);
    expect(kept.entries.length).toBeGreaterThan(2);
    expect(await kept.firstIndexes()).toEqual([0, 1, 2]);
  });

  it('says that another replica has the answer, once, and writes no more', async () => {
    const kept = new KeptFrameList();
    let lost = 0;
    const recorder = recorderOf(kept, () => {
      lost += 1;
    });
    kept.verdict = 'lost';
    recorder.delta(delta(0));
    await expect.poll(() => lost).toBe(1);
    recorder.delta(delta(1));
    await recorder.end(ENDED);
    expect([lost, kept.entries, kept.endings]).toEqual([1, [], []]);
  });
});
