import type { AlternativeToken, AnswerLogprob, AnswerUsage } from '../../generate/answer-listener.ts';
import type { AnswerHeading } from '../dialect.ts';
import type { Logprobs, Usage } from './completion-body.ts';

/** The fields that a completion and all chunks of a stream have in common. */
export function mapHeading(heading: AnswerHeading) {
  return {
    id: `chatcmpl-${heading.requestId}`,
    created: heading.createdAt,
    model: heading.model,
    system_fingerprint: `fp_${heading.cardHash.slice(0, 12)}`,
  };
}

export function mapUsage(usage: AnswerUsage): Usage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens },
  };
}

export function mapLogprobs(logprobs: readonly AnswerLogprob[]): NonNullable<Logprobs> {
  return {
    content: logprobs.map((logprob) => ({ ...mapToken(logprob), top_logprobs: logprob.top.map(mapToken) })),
    refusal: null,
  };
}

function mapToken({ token, logprob, bytes }: AlternativeToken) {
  return { token, logprob, bytes: [...bytes] };
}
