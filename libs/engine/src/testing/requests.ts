import { GREEDY } from '#contracts';
import type { EngineRequest } from '../engine-request.ts';

/** A greedy request for tests: eight tokens of one choice, unless told otherwise. */
export function requestOf(
  requestId: string,
  promptTokenIds: readonly number[],
  changes: Partial<Omit<EngineRequest, 'promptTokenIds'>> = {},
): EngineRequest {
  return {
    requestId,
    epoch: 1,
    promptTokenIds: Int32Array.from(promptTokenIds),
    choices: 1,
    sampling: { ...GREEDY },
    stop: { tokenIds: [], strings: [], maxTokens: 8 },
    topLogprobs: null,
    ...changes,
  };
}
