import { z } from 'zod';
import {
  DELTA_FIELDS,
  FinishReason,
  Logprobs,
  OPTIONAL_MESSAGE_FIELDS,
  PROMPT_TOKEN_IDS,
  ReasonedTokenCounts,
  TOKEN_IDS,
} from '../chat-answer/answer-fields.ts';

const heading = {
  id: z.string(),
  created: z.int().describe('Unix time in seconds.'),
  model: z.string(),
  system_fingerprint: z.string().describe('Changes when the model, its tokenizer or its template changes.'),
};
const logprobs = Logprobs.optional().describe('Only with logprobs: true.');

export const ApiCompletionBody = z.object({
  ...heading,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable().describe('Null when the answer is tool calls alone.'),
        ...OPTIONAL_MESSAGE_FIELDS,
      }),
      logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason,
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: ReasonedTokenCounts,
});

export const ApiChunkBody = z.object({
  ...heading,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      delta: z.object(DELTA_FIELDS),
      logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason.nullable(),
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: ReasonedTokenCounts.nullable().optional().describe('Only with stream_options.include_usage.'),
});
