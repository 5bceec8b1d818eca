import type { MillraceError } from '#contracts';
import type { OutputUsage } from '../../generate/output/output-listener.ts';
import { mapTokenCounts } from '../chat-answer/map-parts.ts';
import type { ChatDefaults } from '../chat-request/generate-request-of.ts';
import { parseChatBody } from '../chat-request/parse-chat-body.ts';
import type { AnsweredChoice, AnswerHeading, Dialect } from '../dialect.ts';
import { CompletionMessagesAnswer, CompletionMessagesError } from './envelope.ts';
import { envelopeCode } from './envelope-code.ts';
import { CompletionMessagesBody } from './request-body.ts';

/** The document names none; the model's are taken. */
const DEFAULTS: ChatDefaults = { temperature: null, topP: null, maxTokens: null };

/** One text in an envelope of code, message and result. */
export const COMPLETION_MESSAGES: Dialect = {
  name: 'completion-messages',
  path: '/api/v1/chat/completion_messages',
  summary: 'Answers a conversation with one text in an envelope',
  schemas: {
    request: { name: 'CompletionMessagesBody', schema: CompletionMessagesBody },
    completion: { name: 'CompletionMessagesAnswer', schema: CompletionMessagesAnswer },
    chunk: null,
    error: { name: 'CompletionMessagesError', schema: CompletionMessagesError },
  },
  statuses: {},
  // The document's own example has one.
  trailingCommas: true,
  parse: (body) => parseChatBody(CompletionMessagesBody, DEFAULTS, body),
  chunks: null,
  completion,
  statusOf: (error) => error.httpStatus,
  errorBody,
};

function completion(
  heading: AnswerHeading,
  [choice]: readonly AnsweredChoice[],
  usage: OutputUsage,
): CompletionMessagesAnswer {
  if (choice === undefined) throw new RangeError('An answer without a choice.');
  return {
    code: 0,
    message: 'success',
    result: {
      id: heading.requestId,
      model: heading.model,
      answer: choice.content,
      usage: { ...mapTokenCounts(usage), finish_reason: choice.end.reason },
      created_at: heading.createdAt,
    },
  };
}

function errorBody(error: MillraceError): CompletionMessagesError {
  return { code: envelopeCode(error), message: error.message, result: null };
}
