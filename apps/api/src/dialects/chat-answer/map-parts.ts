import type { MillraceError } from '#contracts';
import type { OutputEvent, ParsedCall } from '#models';
import type { AlternativeToken, AnswerLogprob } from '../../generate/answer-listener.ts';
import type { OutputUsage } from '../../generate/output/output-listener.ts';
import type { AnsweredChoice, AnswerHeading } from '../dialect.ts';
import type {
  CustomToolCall,
  OpenaiErrorBody,
  ReasonedTokenCounts,
  TokenCounts,
  ToolCall,
  Usage,
} from './answer-fields.ts';
import { ArrayTexts } from './array-texts.ts';

/** Changes when the model, its tokenizer or its template changes. */
export function systemFingerprint(heading: AnswerHeading): string {
  return `fp_${heading.cardHash.slice(0, 12)}`;
}

/** The texts of a choice's message; an answer that is calls alone has no content, as OpenAI says it. */
export function mapTexts({ content, reasoning, calls }: AnsweredChoice) {
  return {
    content: content === '' && calls.length > 0 ? null : content,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
  };
}

export function mapCalls(calls: readonly ParsedCall[]): (ToolCall | CustomToolCall)[] {
  return calls.map(({ id, name, isCustom, arguments: text }) =>
    isCustom
      ? { id, type: 'custom', custom: { name, input: text } }
      : { id, type: 'function', function: { name, arguments: text } },
  );
}

/** `delta` of the chunk that tells one part of an answer; null for parts that clients find out by themselves. */
export function mapDelta(part: OutputEvent): object | null {
  switch (part.type) {
    case 'content':
      return { content: part.text };
    case 'reasoning':
      return { reasoning_content: part.text };
    case 'call-start': {
      const { index, id, name, isCustom } = part;
      if (isCustom) return { tool_calls: [{ index, id, type: 'custom', custom: { name, input: '' } }] };
      return { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] };
    }
    case 'call-arguments':
      return { tool_calls: [{ index: part.index, function: { arguments: part.text } }] };
    case 'call-input':
      return { tool_calls: [{ index: part.index, custom: { input: part.text } }] };
    case 'call-end':
      return null;
  }
}

export function mapTokenCounts(usage: OutputUsage): TokenCounts {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}

/** Token counts, and those of reasoning where there was some. */
export function mapReasonedTokenCounts(usage: OutputUsage): ReasonedTokenCounts {
  const { reasoningTokens } = usage;
  return {
    ...mapTokenCounts(usage),
    ...(reasoningTokens === 0 ? {} : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}

export function mapUsage(usage: OutputUsage): Usage {
  return {
    ...mapTokenCounts(usage),
    prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

export function mapLogprobs(logprobs: readonly AnswerLogprob[] | ArrayTexts) {
  return { content: logprobs instanceof ArrayTexts ? logprobs : logprobs.map(mapLogprob), refusal: null };
}

export function mapLogprob(logprob: AnswerLogprob) {
  return { ...mapToken(logprob), top_logprobs: logprob.top.map(mapToken) };
}

export function mapOpenaiError(error: MillraceError): OpenaiErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}

function mapToken({ token, logprob, bytes }: AlternativeToken) {
  return { token, logprob, bytes };
}
