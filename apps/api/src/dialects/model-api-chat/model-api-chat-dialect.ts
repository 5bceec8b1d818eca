import { OpenaiErrorBody } from '../chat-answer/answer-fields.ts';
import { ChatChunkMapper } from '../chat-answer/chat-chunk-mapper.ts';
import type { ChatShape } from '../chat-answer/chat-shape.ts';
import { mapCompletion } from '../chat-answer/map-completion.ts';
import { mapCalls, mapLogprobs, mapOpenaiError, mapTexts, mapTokenCounts } from '../chat-answer/map-parts.ts';
import type { ChatDefaults } from '../chat-request/generate-request-of.ts';
import { parseChatBody } from '../chat-request/parse-chat-body.ts';
import type { Dialect } from '../dialect.ts';
import { ModelApiChunkBody, ModelApiCompletionBody } from './answer-body.ts';
import { ModelApiChatBody } from './request-body.ts';

const DEFAULTS: ChatDefaults = { temperature: 0.7, topP: 0.7, maxTokens: 200 };

const SHAPE: ChatShape = {
  heading: (heading) => ({ id: `cmpl-${heading.requestId}`, created: heading.createdAt, model: heading.model }),
  message: (choice) => ({ ...mapTexts(choice), tool_calls: mapCalls(choice.calls) }),
  firstDelta: { content: '' },
  logprobs: (logprobs) => ({ logprobs: logprobs === null ? null : mapLogprobs(logprobs) }),
  ending: (end) => ({ finish_reason: end?.reason ?? null, stop_reason: end?.stopString ?? null }),
  usage: mapTokenCounts,
};

/** Chat completions with `cmpl-` ids, a stop reason, and short and cautious answers unless told otherwise. */
export const MODEL_API_CHAT: Dialect = {
  name: 'model-api-chat',
  path: '/model/api/v1/chat/completions',
  summary: 'Answers a conversation, whole or as a stream; tells which stop string ended it',
  schemas: {
    request: { name: 'ModelApiChatBody', schema: ModelApiChatBody },
    completion: { name: 'ModelApiCompletionBody', schema: ModelApiCompletionBody },
    chunk: { name: 'ModelApiChunkBody', schema: ModelApiChunkBody },
    error: { name: 'ErrorBody', schema: OpenaiErrorBody },
  },
  statuses: {},
  trailingCommas: false,
  parse: (body) => parseChatBody(ModelApiChatBody, DEFAULTS, body),
  chunks: (heading, parsed) => new ChatChunkMapper(SHAPE, heading, parsed.delivery),
  completion: (heading, choices, usage) => mapCompletion(SHAPE, heading, choices, usage),
  statusOf: (error) => error.httpStatus,
  errorBody: mapOpenaiError,
};
