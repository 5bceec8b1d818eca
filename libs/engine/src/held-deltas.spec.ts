import { describe, expect, it } from 'vitest';
import { HeldDeltas } from './held-deltas.ts';
import type { SequenceDelta } from './step-output.ts';

function delta(requestId: string, choice: number, firstIndex: number, text: string): SequenceDelta {
  const logprobs = [{ tokenId: firstIndex, logprob: -firstIndex, top: [] }];
  return { requestId, epoch: 1, choice, firstIndex, tokenIds: [firstIndex], text, logprobs };
}

describe('HeldDeltas', () => {
  it('lets the tokens of each choice leave as one delta when the oldest has waited long enough', () => {
    let nowMs = 0;
    const held = new HeldDeltas(20, () => nowMs);
    held.add(delta('a', 0, 1, 'x'));
    nowMs = 15;
    held.add(delta('b', 1, 7, 'm'));
    held.add(delta('a', 0, 2, ''));
    expect(held.takeDue()).toEqual([]);
    nowMs = 20;
    held.add(delta('a', 0, 3, 'yz'));
    expect(held.takeDue()).toEqual([
      {
        ...delta('a', 0, 1, 'xyz'),
        tokenIds: [1, 2, 3],
        logprobs: [1, 2, 3].map((tokenId) => ({ tokenId, logprob: -tokenId, top: [] })),
      },
      delta('b', 1, 7, 'm'),
    ]);
    expect(held.takeDue()).toEqual([]);
    held.add(delta('a', 0, 4, 'n'));
    nowMs = 39;
    expect(held.takeDue()).toEqual([]);
  });

  it('gives up what it has of a choice that ends, and of a request that fails, at once', () => {
    const held = new HeldDeltas(20, () => 0);
    for (const choice of [0, 1, 2]) held.add(delta('a', choice, 5, 'x'));
    held.add(delta('b', 0, 5, 'x'));
    expect(held.takeChoice({ requestId: 'a', epoch: 1, choice: 1 })).toEqual([delta('a', 1, 5, 'x')]);
    expect(held.takeChoice({ requestId: 'a', epoch: 1, choice: 1 })).toEqual([]);
    expect(held.takeChoice({ requestId: 'a', epoch: 2, choice: 0 })).toEqual([]);
    expect(held.takeRequest({ requestId: 'a', epoch: 1 })).toEqual([delta('a', 0, 5, 'x'), delta('a', 2, 5, 'x')]);
    expect(held.takeRequest({ requestId: 'a', epoch: 1 })).toEqual([]);
  });
});
