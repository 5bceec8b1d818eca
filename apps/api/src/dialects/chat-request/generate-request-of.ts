import { MillraceError } from '#contracts';
import type { ChatToolCall } from '#models';
import type { RequestMessage, ValidGenerateRequest } from '../../generate/valid-generate-request.ts';
import { answerFormOf } from './answer-form.ts';
import type { ChatBody } from './chat-fields.ts';
import type { ChatMessageBody } from './chat-message-body.ts';
import { customArguments } from './custom-tool.ts';
import { promptEndOf } from './prompt-end.ts';
import { reasoningSwitchOf } from './reasoning-switch.ts';
import { toolUseOf } from './tools.ts';

type AssistantBody = Extract<ChatMessageBody, { role: 'assistant' }>;

/** A nucleus this small holds the most likely token only, which is what OpenAI's `top_p: 0` means. */
const SMALLEST_TOP_P = 1e-9;

/** What a dialect's document says of fields that were left out. */
export interface ChatDefaults {
  /** Null for what the model's makers recommend, else 1. */
  readonly temperature: number | null;
  /** Null for what the model's makers recommend, else 1. */
  readonly topP: number | null;
  /** Null for what is left of the context. */
  readonly maxTokens: number | null;
}

/** @throws MillraceError invalid_request where two fields contradict each other */
export function generateRequestOf(body: ChatBody, defaults: ChatDefaults): ValidGenerateRequest {
  return {
    model: body.model,
    messages: body.messages.map(toMessage),
    promptEnd: promptEndOf(body),
    choices: body.n ?? 1,
    sampling: {
      temperature: body.temperature ?? defaults.temperature,
      topP: atLeast(SMALLEST_TOP_P, body.top_p ?? defaults.topP),
      topK: atLeast(0, body.top_k ?? null),
      minP: body.min_p ?? null,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
      repetitionPenalty: body.repetition_penalty ?? null,
      logitBias: Object.entries(body.logit_bias ?? {}).map(([tokenId, bias]) => [Number(tokenId), bias]),
      seed: toSeed(body.seed ?? null),
    },
    stopStrings: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    showsStopString: body.include_stop_str_in_output ?? false,
    stopTokenIds: body.stop_token_ids ?? [],
    allowedTokenIds: (body.allowed_token_ids ?? []).length === 0 ? null : [...new Set(body.allowed_token_ids)],
    badWords: body.bad_words ?? [],
    ...toTokenLimit(body, defaults),
    ignoreEos: body.ignore_eos ?? false,
    minTokens: body.min_tokens ?? 0,
    priorityClass: body.priority ?? 'normal',
    topLogprobs: toTopLogprobs(body),
    tellsTokenIds: body.return_token_ids ?? false,
    namesTokensByIds: body.return_tokens_as_token_ids ?? false,
    ...toFormAndTools(body),
    reasoningEffort: body.reasoning_effort ?? null,
    reasoningSwitch: reasoningSwitchOf(body),
    templateVariables: body.chat_template_kwargs ?? {},
    cacheSalt: body.cache_salt || null,
    user: toUser(body),
    metadata: body.metadata ?? {},
  };
}

/** @throws MillraceError invalid_request where free calls stand beside a form that is no JSON */
function toFormAndTools(body: ChatBody): Pick<ValidGenerateRequest, 'constraint' | 'constraintField' | 'toolUse'> {
  const form = answerFormOf(body);
  const toolUse = toolUseOf(body);
  const { constraint, constraintField } = form;
  const isJson = constraint === null || constraint.type === 'json_schema' || constraint.type === 'json_object';
  if (isJson || toolUse === null) return { ...form, toolUse };
  throw new MillraceError(
    'invalid_request',
    `${constraintField} stands beside tools that may be called. Set tool_choice to "none", or remove it.`,
    { param: constraintField ?? 'tools' },
  );
}

function atLeast(least: number, value: number | null): number | null {
  return value === null ? null : Math.max(least, value);
}

/** `developer` is the newer name of `system`; chat templates know the older one. Text parts are one text to a model. */
function toMessage(message: ChatMessageBody): RequestMessage {
  const { content: said } = message;
  const content = typeof said === 'string' ? said : (said ?? []).map(textOf).join('');
  const named = { content, ...(message.name ? { name: message.name } : {}) };
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', ...named };
    case 'user':
      return { role: 'user', ...named };
    case 'tool':
      return { role: 'tool', ...named, tool_call_id: message.tool_call_id };
    case 'assistant': {
      const { tool_calls: calls, refusal } = message;
      const reasoning = message.reasoning_content ?? message.reasoning;
      return {
        role: 'assistant',
        ...named,
        content: content + (refusal ?? ''),
        ...(reasoning ? { reasoning_content: reasoning } : {}),
        ...(calls && calls.length > 0 ? { tool_calls: calls.map(toToolCall) } : {}),
      };
    }
  }
}

function textOf(part: { readonly text: string } | { readonly refusal: string }): string {
  return 'text' in part ? part.text : part.refusal;
}

/** A custom tool's call is shown as the model wrote it. */
function toToolCall(call: NonNullable<AssistantBody['tool_calls']>[number]): ChatToolCall {
  const { id } = call;
  if (call.type === 'custom') {
    const { name, input } = call.custom;
    return { id, type: 'function', function: { name, arguments: customArguments(input) } };
  }
  const { name, arguments: given } = call.function;
  return { id, type: 'function', function: { name, arguments: given } };
}

function toTokenLimit(
  body: ChatBody,
  defaults: ChatDefaults,
): Pick<ValidGenerateRequest, 'maxTokens' | 'maxTokensField'> {
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
  return { maxTokens: defaults.maxTokens, maxTokensField: null };
}

/** `safety_identifier` is the newer name of `user`. */
function toUser({ user, safety_identifier: newer }: ChatBody): string | null {
  if (user && newer && user !== newer) {
    throw new MillraceError(
      'invalid_request',
      `user is ${JSON.stringify(user)} and safety_identifier is ${JSON.stringify(newer)}, but they mean the same. Send one of them.`,
      { param: 'user' },
    );
  }
  return newer ?? user ?? null;
}

function toTopLogprobs(body: ChatBody): number | null {
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
