import { MillraceError } from '#contracts';
import type { RequestMessage, ValidGenerateRequest } from '../../generate/valid-generate-request.ts';
import type { ParsedBody } from '../dialect.ts';
import { ChatCompletionBody } from './chat-completion-body.ts';
import type { ChatMessageBody } from './chat-message-body.ts';
import { describeProblem } from './describe-problem.ts';

/** A nucleus this small holds the most likely token only, which is what OpenAI's `top_p: 0` means. */
const SMALLEST_TOP_P = 1e-9;

/** @throws MillraceError invalid_request or unsupported_parameter */
export function parseBody(body: unknown): ParsedBody {
  const result = ChatCompletionBody.safeParse(body);
  if (!result.success) throw describeProblem(result.error, body);
  const valid = result.data;
  const stream = valid.stream ?? false;
  if (valid.stream_options && !stream) {
    throw new MillraceError(
      'invalid_request',
      'stream_options is only allowed with stream: true. Remove it, or set stream to true.',
      { param: 'stream_options' },
    );
  }
  return {
    request: toRequest(valid),
    delivery: { stream, includeUsage: valid.stream_options?.include_usage ?? false },
  };
}

function toRequest(body: ChatCompletionBody): ValidGenerateRequest {
  return {
    model: body.model,
    messages: body.messages.map(toMessage),
    choices: body.n ?? 1,
    sampling: {
      temperature: body.temperature ?? 1,
      topP: Math.max(body.top_p ?? 1, SMALLEST_TOP_P),
      topK: Math.max(body.top_k ?? 0, 0),
      minP: body.min_p ?? 0,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
      repetitionPenalty: body.repetition_penalty ?? 1,
      logitBias: Object.entries(body.logit_bias ?? {}).map(([tokenId, bias]) => [Number(tokenId), bias]),
      seed: toSeed(body.seed ?? null),
    },
    stopStrings: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    ...toTokenLimit(body),
    ignoreEos: body.ignore_eos ?? false,
    topLogprobs: toTopLogprobs(body),
    user: body.user ?? null,
  };
}

/** `developer` is the newer name of `system`; chat templates know the older one. Text parts are one text to a model. */
function toMessage(message: ChatMessageBody): RequestMessage {
  const content =
    typeof message.content === 'string' ? message.content : message.content.map((part) => part.text).join('');
  const role = message.role === 'developer' ? 'system' : message.role;
  const name = message.role === 'tool' ? undefined : message.name;
  return name === undefined ? { role, content } : { role, content, name };
}

function toTokenLimit(body: ChatCompletionBody): Pick<ValidGenerateRequest, 'maxTokens' | 'maxTokensField'> {
  const { max_tokens: older, max_completion_tokens: newer } = body;
  if (typeof older === 'number' && typeof newer === 'number' && older !== newer) {
    throw new MillraceError(
      'invalid_request',
      `max_tokens is ${older} and max_completion_tokens is ${newer}, but they mean the same. Send one of them.`,
      { param: 'max_tokens' },
    );
  }
  if (typeof newer === 'number') return { maxTokens: newer, maxTokensField: 'max_completion_tokens' };
  if (typeof older === 'number') return { maxTokens: older, maxTokensField: 'max_tokens' };
  return { maxTokens: null, maxTokensField: null };
}

function toTopLogprobs(body: ChatCompletionBody): number | null {
  if (body.logprobs) return body.top_logprobs ?? 0;
  if (body.top_logprobs) {
    throw new MillraceError(
      'invalid_request',
      `top_logprobs is ${body.top_logprobs}, but logprobs is not true. Set logprobs to true, or remove top_logprobs.`,
      { param: 'top_logprobs' },
    );
  }
  return null;
}

/** Folds an int64, as far as JSON kept it, into the whole numbers that a double holds exactly. */
function toSeed(seed: number | null): number | null {
  if (seed === null || Number.isSafeInteger(seed)) return seed;
  return Number(BigInt.asIntN(53, BigInt(seed)));
}
