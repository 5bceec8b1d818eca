import { OpenaiErrorBody } from '../chat-answer/answer-fields.ts';
import { ChatChunkMapper } from '../chat-answer/chat-chunk-mapper.ts';
import type { ChatShape } from '../chat-answer/chat-shape.ts';
import { mapCompletion } from '../chat-answer/map-completion.ts';
import {
  mapCalls,
  mapLogprobs,
  mapOpenaiError,
  mapReasonedTokenCounts,
  mapTexts,
  systemFingerprint,
} from '../chat-answer/map-parts.ts';
import type { ChatDefaults } from '../chat-request/generate-request-of.ts';
import { parseChatBody } from '../chat-request/parse-chat-body.ts';
import type { Dialect } from '../dialect.ts';
import { ApiChunkBody, ApiCompletionBody } from './answer-body.ts';
import { ApiChatBody } from './request-body.ts';
import { statusOf } from './status-of.ts';

/** The document names none; the model's are taken. */
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
    ...(choice.calls.length === 0 ? {} : { tool_calls: mapCalls(choice.calls) }),
  }),
  firstDelta: { content: '' },
  logprobs: (logprobs) => (logprobs === null ? {} : { logprobs: mapLogprobs(logprobs) }),
  ending: (end) => ({ finish_reason: end?.reason ?? null }),
  usage: mapReasonedTokenCounts,
};

/** Chat completions with a status of their own for parameters out of range. */
export const API_CHAT: Dialect = {
  name: 'api-chat',
  path: '/api/v1/chat/completions',
  summary: 'Answers a conversation, whole or as a stream; wrong values are 422',
  schemas: {
    request: { name: 'ApiChatBody', schema: ApiChatBody },
    completion: { name: 'ApiCompletionBody', schema: ApiCompletionBody },
    chunk: { name: 'ApiChunkBody', schema: ApiChunkBody },
    error: { name: 'ErrorBody', schema: OpenaiErrorBody },
  },
  statuses: {
    400: 'Invalid format: no JSON, a field missing, unknown or of another type, a message that is wrong or too long.',
    401: 'Authentication fails.',
    402: 'Insufficient balance.',
    422: 'Invalid parameters: a value is out of its range, contradicts another one or is not supported.',
    429: 'Rate limit reached; Retry-After says when to try again.',
    500: 'Server error.',
    503: 'Server overloaded; Retry-After says when to try again.',
  },
  trailingCommas: false,
  parse: (body) => parseChatBody(ApiChatBody, DEFAULTS, body),
  chunks: (heading, parsed) => new ChatChunkMapper(SHAPE, heading, parsed.delivery),
  completion: (heading, choices, usage) => mapCompletion(SHAPE, heading, choices, usage),
  statusOf,
  errorBody: mapOpenaiError,
};
