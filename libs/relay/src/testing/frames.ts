import { relay } from '#contracts';
import type { OutgoingFrames } from '../dialer/outgoing-frames.ts';

/** One token of a choice as a delta; its text is the token id. */
export function delta(requestId: string, firstIndex: number, overrides: Partial<relay.Delta> = {}): relay.Delta {
  const tokenIds = overrides.tokenIds ?? [100 + firstIndex];
  return { requestId, epoch: 1, choice: 0, firstIndex, tokenIds, text: tokenIds.join(' '), logprobs: [], ...overrides };
}

export function finished(requestId: string, overrides: Partial<relay.Finished> = {}): relay.Finished {
  return {
    requestId,
    epoch: 1,
    choice: 0,
    reason: relay.FinishReason.FINISH_REASON_STOP,
    stopString: '',
    completionTokens: 0,
    cachedPromptTokens: 0,
    ...overrides,
  };
}

export function frames(parts: Partial<OutgoingFrames>): OutgoingFrames {
  return { step: 1, deltas: [], finished: [], failed: [], ...parts };
}
