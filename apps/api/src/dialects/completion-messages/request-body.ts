import { z } from 'zod';
import { harmlessOnly } from '../../body/harmless-only.ts';
import { CHAT_FIELDS } from '../chat-request/chat-fields.ts';

const NO_STREAM = 'This route answers whole; /v1/chat/completions streams.';
const NO_LOGPROBS = 'The answer has no place for them; use /v1/chat/completions.';
const NO_TOOLS = 'The answer is a text and has no place for tool calls; use /v1/chat/completions.';

/**
 * Body of `POST /api/v1/chat/completion_messages`. What its answer, one text, can not show is refused, also where other
 * dialects have it.
 */
export const CompletionMessagesBody = z.strictObject({
  ...CHAT_FIELDS,
  n: harmlessOnly(z.literal(1), 'The answer is one text; use /v1/chat/completions for several.'),
  stream: harmlessOnly(z.literal(false), NO_STREAM),
  stream_options: harmlessOnly(z.never(), NO_STREAM),
  logprobs: harmlessOnly(z.literal(false), NO_LOGPROBS),
  top_logprobs: harmlessOnly(z.literal(0), NO_LOGPROBS),
  return_token_ids: harmlessOnly(z.literal(false), NO_LOGPROBS),
  return_tokens_as_token_ids: harmlessOnly(z.literal(false), NO_LOGPROBS),
  tools: harmlessOnly(z.array(z.never()).max(0), NO_TOOLS),
  tool_choice: harmlessOnly(z.enum(['none', 'auto']), NO_TOOLS),
  parallel_tool_calls: harmlessOnly(z.boolean(), NO_TOOLS),
});
