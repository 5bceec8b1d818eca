import { z } from 'zod';
import {
  DELTA_FIELDS,
  FinishReason,
  Logprobs,
  OPTIONAL_MESSAGE_FIELDS,
  PROMPT_TOKEN_IDS,
  TOKEN_IDS,
  TokenCounts,
  ToolCall,
} from '../chat-answer/answer-fields.ts';

const heading = {
  id: z.string().describe('Begins with cmpl-.'),
  created: z.int().describe('Unix time in seconds.'),
  model: z.string(),
};
const stopReason = z.string().nullable().describe('The stop string that ended the choice; null when none did.');

export const ModelApiCompletionBody = z.object({
  ...heading,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable().describe('Null when the answer is tool calls alone.'),
        ...OPTIONAL_MESSAGE_FIELDS,
        tool_calls: z.array(ToolCall),
      }),
      logprobs: Logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason,
      stop_reason: stopReason,
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: TokenCounts,
});

export const ModelApiChunkBody = z.object({
  ...heading,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      delta: z.object(DELTA_FIELDS),
      logprobs: Logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason.nullable(),
      stop_reason: stopReason,
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: TokenCounts.nullable().optional().describe('Only with stream_options.include_usage.'),
});
