import { z } from 'zod';
import { CHAT_FIELDS, tokenLimit } from '../chat-request/chat-fields.ts';
import { FUNCTION_FIELDS } from '../chat-request/tools.ts';

const MAX_TOKENS = 4_096;

/** Body of `POST /model/api/v1/chat/completions`: its document has narrower ranges than OpenAI's, functions as the only tools, and other defaults. */
export const ModelApiChatBody = z.strictObject({
  ...CHAT_FIELDS,
  ...FUNCTION_FIELDS,
  temperature: z.number().min(0).max(1).nullish().describe('Default 0.7; 0 always takes the most likely token.'),
  top_p: CHAT_FIELDS.top_p.describe('Default 0.7. Keeps the most likely tokens that add up to this mass.'),
  max_tokens: tokenLimit
    .max(MAX_TOKENS)
    .nullish()
    .describe('Default 200, or what the messages leave of the context. Most tokens per choice.'),
  max_completion_tokens: tokenLimit.max(MAX_TOKENS).nullish().describe('The same as max_tokens.'),
});
