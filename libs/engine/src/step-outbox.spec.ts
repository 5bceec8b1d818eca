import { describe, expect, it } from 'vitest';
import { StepOutbox } from './step-outbox.ts';
import type { EngineStats, SequenceDelta, StepOutput } from './step-output.ts';

const stats = (): EngineStats => ({ running: 1, stepsTotal: 0 }) as EngineStats;

function delta(firstIndex: number): SequenceDelta {
  return { requestId: 'a', epoch: 1, choice: 0, firstIndex, tokenIds: [firstIndex], text: 'x', logprobs: [] };
}

function setUp(intervalMs?: number) {
  const clock = { nowMs: 0 };
  const outbox = new StepOutbox(intervalMs, () => clock.nowMs);
  const outputs: StepOutput[] = [];
  outbox.addListener((output) => outputs.push(output));
  /** A decode step of so many ms that made one token. */
  const step = (number: number, ms: number, first = false) => {
    clock.nowMs += ms;
    outbox.delta(delta(number), false, first);
    outbox.publishSoon(number, stats, ms);
  };
  const indices = () => outputs.map(({ deltas }) => deltas.map(({ firstIndex }) => firstIndex));
  return { clock, outbox, outputs, step, indices };
}

describe('StepOutbox', () => {
  it('publishes every step where no interval is set', () => {
    const { step, indices } = setUp();
    for (let number = 0; number < 4; number++) step(number, 0.1, number === 0);
    expect(indices()).toEqual([[0], [1], [2], [3]]);
  });

  it('lets the tokens of quick steps leave together, each as a delta of its own, and the first one at once', () => {
    const { step, indices, outputs } = setUp(1);
    for (let number = 0; number < 10; number++) step(number, 0.25, number === 0);
    expect(indices()).toEqual([[0], [1, 2, 3], [4, 5, 6], [7, 8, 9]]);
    expect(outputs.map((output) => output.step)).toEqual([0, 3, 6, 9]);
  });

  it('holds nothing up where steps take as long as the interval', () => {
    const { step, indices } = setUp(1);
    for (let number = 0; number < 4; number++) step(number, 1, number === 0);
    expect(indices()).toEqual([[0], [1], [2], [3]]);
  });

  it('publishes ends and failures at once, with what waited', () => {
    const { step, outbox, indices, outputs } = setUp(1);
    step(0, 0.1, true);
    step(1, 0.1);
    outbox.delta(delta(2), false, false);
    outbox.finished({
      requestId: 'a',
      epoch: 1,
      choice: 0,
      reason: 'stop',
      stopString: null,
      completionTokens: 3,
      cachedPromptTokens: 0,
    });
    outbox.publishSoon(2, stats, 0.1);
    expect(indices()).toEqual([[0], [1, 2]]);
    expect(outputs[1]?.finished).toHaveLength(1);
    outbox.failed({ requestId: 'b', epoch: 1, code: 'engine_failed', message: 'x' });
    outbox.publishSoon(3, stats, 0.1);
    expect(outputs[2]?.failed).toHaveLength(1);
  });

  it('publishes what waits before a step that takes longer, and nothing when nothing waits', () => {
    const { step, outbox, indices } = setUp(1);
    step(0, 0.1, true);
    outbox.publishWaiting(0, stats);
    step(1, 0.1);
    outbox.publishWaiting(1, stats);
    expect(indices()).toEqual([[0], [1]]);
  });
});
