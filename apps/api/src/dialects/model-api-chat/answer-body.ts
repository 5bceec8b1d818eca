import { z } from 'zod';
import { FinishReason, Logprobs, TokenCounts } from '../chat-answer/answer-fields.ts';

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
      message: z.object({ role: z.literal('assistant'), content: z.string(), tool_calls: z.array(z.never()) }),
      logprobs: Logprobs,
      finish_reason: FinishReason,
      stop_reason: stopReason,
    }),
  ),
  usage: TokenCounts,
});

export const ModelApiChunkBody = z.object({
  ...heading,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
      logprobs: Logprobs,
      finish_reason: FinishReason.nullable(),
      stop_reason: stopReason,
    }),
  ),
  usage: TokenCounts.nullable().optional().describe('Only with stream_options.include_usage.'),
});
