import { relay, type TokenTable } from '#contracts';
import type { FinishReason, SequenceDelta, SequenceFinish, StepOutput, TokenLogprob } from '#engine';
import type { OutgoingDelta, OutgoingFrames } from '#relay';

const REASONS: Record<FinishReason, relay.FinishReason> = {
  stop: relay.FinishReason.FINISH_REASON_STOP,
  length: relay.FinishReason.FINISH_REASON_LENGTH,
  cancelled: relay.FinishReason.FINISH_REASON_CANCELLED,
};

/** What a step of the engine produced, as the relay sends it. */
export function framesOf(output: StepOutput, tokenTable: TokenTable): OutgoingFrames {
  return {
    step: output.step,
    deltas: output.deltas.map((delta) => deltaOf(delta, tokenTable)),
    finished: output.finished.map(finishedOf),
    failed: output.failed.map(({ requestId, epoch, code, message }) => ({ requestId, epoch, code, message })),
  };
}

export function finishedOf(finish: SequenceFinish): relay.Finished {
  const { requestId, epoch, choice, reason, stopString, completionTokens, cachedPromptTokens } = finish;
  return {
    requestId,
    epoch,
    choice,
    reason: REASONS[reason],
    stopString: stopString ?? '',
    completionTokens,
    cachedPromptTokens,
  };
}

function deltaOf(delta: SequenceDelta, tokenTable: TokenTable): OutgoingDelta {
  if (delta.logprobs.length === 0) return { ...delta, logprobs: [] };
  return { ...delta, logprobs: delta.logprobs.map((logprob) => logprobOf(logprob, tokenTable)) };
}

function logprobOf({ tokenId, logprob, top }: TokenLogprob, tokenTable: TokenTable): relay.TokenLogprob {
  return {
    tokenId,
    logprob,
    tokenBytes: bytesOf(tokenId, tokenTable),
    top: top.map((other) => ({ ...other, tokenBytes: bytesOf(other.tokenId, tokenTable) })),
  };
}

/** A view of the table's bytes, which are never written to. */
function bytesOf(tokenId: number, { bytes, offsets }: TokenTable): Buffer {
  const from = offsets[tokenId] ?? 0;
  const to = offsets[tokenId + 1] ?? from;
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
}
