import type { MillraceError } from '#contracts';
import type { AlternativeToken, AnswerLogprob, AnswerUsage } from '../../generate/answer-listener.ts';
import type { AnswerHeading } from '../dialect.ts';
import type { Logprobs, OpenaiErrorBody, TokenCounts, Usage } from './answer-fields.ts';

/** Changes when the model, its tokenizer or its template changes. */
export function systemFingerprint(heading: AnswerHeading): string {
  return `fp_${heading.cardHash.slice(0, 12)}`;
}

export function mapTokenCounts(usage: AnswerUsage): TokenCounts {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}

export function mapUsage(usage: AnswerUsage): Usage {
  return { ...mapTokenCounts(usage), prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens } };
}

export function mapLogprobs(logprobs: readonly AnswerLogprob[]): NonNullable<Logprobs> {
  return {
    content: logprobs.map((logprob) => ({ ...mapToken(logprob), top_logprobs: logprob.top.map(mapToken) })),
    refusal: null,
  };
}

export function mapOpenaiError(error: MillraceError): OpenaiErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}

function mapToken({ token, logprob, bytes }: AlternativeToken) {
  return { token, logprob, bytes: [...bytes] };
}
