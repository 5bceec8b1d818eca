import type { ModelRunner } from '#contracts';
import type { EngineRequest } from './engine-request.ts';
import type { RequestFailure } from './step-output.ts';

/** Why a request can never run on this runner, or null when it can. */
export function checkRequest(request: EngineRequest, runner: ModelRunner): RequestFailure | null {
  const { promptTokenIds, choices, sampling } = request;
  const { slots, slotTokens } = runner;
  const { vocabularySize } = runner.shape;
  const refuse = (code: RequestFailure['code'], message: string): RequestFailure => ({
    requestId: request.requestId,
    epoch: request.epoch,
    code,
    message,
  });

  if (promptTokenIds.length === 0) return refuse('invalid_request', 'the prompt is empty: it needs at least one token');
  if (promptTokenIds.length >= slotTokens) {
    return refuse(
      'context_length_exceeded',
      `the prompt has ${promptTokenIds.length} tokens, but prompt and answer together may have ${slotTokens}: ` +
        `shorten the prompt to ${slotTokens - 1} tokens or less`,
    );
  }
  if (!Number.isInteger(choices) || choices < 1 || choices > slots) {
    return refuse(
      'invalid_request',
      `${choices} choices were asked for, but this worker can run 1 to ${slots} at a time`,
    );
  }
  const { resume } = request;
  if (resume && resume.length !== choices) {
    return refuse('invalid_request', `${resume.length} choices are to be resumed, but the request has ${choices}`);
  }
  const strayResumed = resume
    ?.flatMap(({ tokenIds }) => tokenIds)
    .find((token) => token < 0 || token >= vocabularySize);
  if (strayResumed !== undefined) {
    return refuse(
      'invalid_request',
      `token id ${strayResumed} that was delivered before is not in the model's vocabulary of ${vocabularySize}`,
    );
  }
  const strayToken = promptTokenIds.find((token) => token < 0 || token >= vocabularySize);
  if (strayToken !== undefined) {
    return refuse(
      'invalid_request',
      `token id ${strayToken} of the prompt is not in the model's vocabulary of ${vocabularySize}: ` +
        'was the prompt made with the tokenizer of another model?',
    );
  }
  const { allowed = [], banned = [] } = request.tokenLimits ?? {};
  const strayLimit = [...allowed, ...banned.flat()].find((token) => token >= vocabularySize);
  if (strayLimit !== undefined) {
    return refuse(
      'invalid_request',
      `token id ${strayLimit} of the token limits is not in the model's vocabulary of ${vocabularySize}`,
    );
  }
  const strayBias = sampling.logitBias.find(([token]) => token >= vocabularySize);
  if (strayBias !== undefined) {
    return refuse(
      'invalid_request',
      `token id ${strayBias[0]} of logit_bias is not in the model's vocabulary of ${vocabularySize}`,
    );
  }
  return null;
}
