import { describe, expect, it, vi } from 'vitest';
import { GREEDY } from '#contracts';
import type { EngineRequest, EngineStats, StepOutput } from '#engine';
import { TranslatingEngine } from './translating-engine.ts';

const SCHEMA: EngineRequest['constraint'] = { type: 'json_schema', strict: true, schema: { const: 1 } };
const GRAMMAR = Int32Array.of(7, 0);

function requestOf(requestId: string, changes: Partial<EngineRequest> = {}): EngineRequest {
  const stop = { tokenIds: [], strings: [], maxTokens: 8 };
  const asked = { epoch: 1, promptTokenIds: Int32Array.of(1), choices: 1, sampling: GREEDY, stop, topLogprobs: null };
  return { requestId, ...asked, ...changes };
}

/** An engine that notes what it is told, and a translator that answers when the test says so. */
function parts(kept: Int32Array | null = null) {
  const submitted: EngineRequest[] = [];
  const cancel = vi.fn();
  const engine = {
    submit: (request: EngineRequest) => void submitted.push(request),
    cancel,
    onStep: () => {},
    stats: () => ({}) as EngineStats,
  };
  const asked: { tenantId: string; signal: AbortSignal; outcome: PromiseWithResolvers<Int32Array> }[] = [];
  const translator = {
    kept: () => kept,
    translate: (_: unknown, tenantId: string, signal: AbortSignal) => {
      const outcome = Promise.withResolvers<Int32Array>();
      asked.push({ tenantId, signal, outcome });
      return outcome.promise;
    },
  };
  const translating = new TranslatingEngine(engine, translator);
  const told: StepOutput[] = [];
  translating.onStep((output) => told.push(output));
  return { translating, submitted, cancel, asked, told };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('TranslatingEngine', () => {
  it('passes on what has no constraint, or one whose grammar is kept', () => {
    const { translating, submitted, cancel, asked } = parts(GRAMMAR);
    translating.submit(requestOf('free'));
    translating.submit(requestOf('held', { constraint: SCHEMA }));
    translating.cancel('held', 1);
    expect(submitted.map(({ requestId, translated }) => [requestId, translated])).toEqual([
      ['free', undefined],
      ['held', GRAMMAR],
    ]);
    expect(asked).toEqual([]);
    expect(cancel).toHaveBeenCalledWith('held', 1);
  });

  it('gives a request to the engine with its grammar, when it is made', async () => {
    const { translating, submitted, asked } = parts();
    translating.submit(requestOf('held', { constraint: SCHEMA, tenantId: 'a' }));
    translating.submit(requestOf('free'));
    expect(submitted.map(({ requestId }) => requestId)).toEqual(['free']);
    expect(asked[0]?.tenantId).toBe('a');
    asked[0]?.outcome.resolve(GRAMMAR);
    await settled();
    expect(submitted[1]).toMatchObject({ requestId: 'held', translated: GRAMMAR });
  });

  it('ends what is cancelled meanwhile, each choice that an earlier attempt has not ended', async () => {
    const { translating, submitted, cancel, asked, told } = parts();
    const resume = [
      { tokenIds: [5, 6], finished: false },
      { tokenIds: [7], finished: true },
      { tokenIds: [], finished: false },
    ];
    translating.submit(requestOf('held', { constraint: SCHEMA, choices: 3, resume }));
    translating.cancel('held', 1);
    expect(told).toEqual([]);
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[0]?.outcome.resolve(GRAMMAR);
    await settled();
    expect(told.flatMap(({ finished }) => finished)).toMatchObject([
      { requestId: 'held', choice: 0, reason: 'cancelled', completionTokens: 2 },
      { requestId: 'held', choice: 2, reason: 'cancelled', completionTokens: 0 },
    ]);
    expect([submitted, cancel.mock.calls]).toEqual([[], []]);
  });

  it('fails what has no grammar, and forgets what a lost engine would have had', async () => {
    const { translating, submitted, asked, told } = parts();
    translating.submit(requestOf('bad', { constraint: SCHEMA }));
    translating.submit(requestOf('lost', { constraint: SCHEMA }));
    asked[0]?.outcome.reject(new Error('no such thing'));
    await settled();
    const message = 'the json_schema constraint can not be enforced: no such thing';
    expect(told.flatMap(({ failed }) => failed)).toEqual([
      { requestId: 'bad', epoch: 1, code: 'invalid_request', message },
    ]);
    translating.forget();
    expect(asked[1]?.signal.aborted).toBe(true);
    asked[1]?.outcome.resolve(GRAMMAR);
    await settled();
    expect([submitted, told.length]).toEqual([[], 1]);
  });
});
