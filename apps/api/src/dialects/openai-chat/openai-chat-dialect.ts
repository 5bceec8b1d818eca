import { OpenaiErrorBody } from '../chat-answer/answer-fields.ts';
import { ChatChunkMapper } from '../chat-answer/chat-chunk-mapper.ts';
import type { ChatShape } from '../chat-answer/chat-shape.ts';
import { mapCompletion } from '../chat-answer/map-completion.ts';
import {
  mapCalls,
  mapLogprobs,
  mapOpenaiError,
  mapTexts,
  mapUsage,
  systemFingerprint,
} from '../chat-answer/map-parts.ts';
import type { ChatDefaults } from '../chat-request/generate-request-of.ts';
import { parseChatBody } from '../chat-request/parse-chat-body.ts';
import type { Dialect } from '../dialect.ts';
import { ChunkBody, CompletionBody } from './answer-body.ts';
import { ChatCompletionBody } from './request-body.ts';

const DEFAULTS: ChatDefaults = { temperature: null, topP: null, maxTokens: null };

const SHAPE: ChatShape = {
  heading: (heading) => ({
    id: `chatcmpl-${heading.requestId}`,
    created: heading.createdAt,
    model: heading.model,
    system_fingerprint: systemFingerprint(heading),
  }),
  message: (choice) => ({
    ...mapTexts(choice),
    refusal: null,
    ...(choice.calls.length === 0 ? {} : { tool_calls: mapCalls(choice.calls) }),
  }),
  firstDelta: { content: '', refusal: null },
  logprobs: (logprobs) => ({ logprobs: logprobs === null ? null : mapLogprobs(logprobs) }),
  ending: (end) => ({ finish_reason: end?.reason ?? null }),
  usage: mapUsage,
};

/** OpenAI's chat completions: a drop-in replacement for its clients. */
export const OPENAI_CHAT: Dialect = {
  name: 'openai-chat',
  path: '/v1/chat/completions',
  summary: 'Answers a conversation as OpenAI does, whole or as a stream',
  schemas: {
    request: { name: 'ChatCompletionBody', schema: ChatCompletionBody },
    completion: { name: 'CompletionBody', schema: CompletionBody },
    chunk: { name: 'ChunkBody', schema: ChunkBody },
    error: { name: 'ErrorBody', schema: OpenaiErrorBody },
  },
  statuses: {},
  trailingCommas: false,
  parse: (body) => parseChatBody(ChatCompletionBody, DEFAULTS, body),
  chunks: (heading, parsed) => new ChatChunkMapper(SHAPE, heading, parsed.delivery),
  completion: (heading, choices, usage) => mapCompletion(SHAPE, heading, choices, usage),
  statusOf: (error) => error.httpStatus,
  errorBody: mapOpenaiError,
};
