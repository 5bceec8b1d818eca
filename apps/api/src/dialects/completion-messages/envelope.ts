import { z } from 'zod';
import { FinishReason, TokenCounts } from '../chat-answer/answer-fields.ts';

export const CompletionMessagesAnswer = z.object({
  code: z.literal(0),
  message: z.literal('success'),
  result: z.object({
    id: z.string(),
    model: z.string(),
    answer: z.string(),
    usage: TokenCounts.extend({ finish_reason: FinishReason }),
    created_at: z.int().describe('Unix time in seconds.'),
  }),
});
export type CompletionMessagesAnswer = z.infer<typeof CompletionMessagesAnswer>;

export const CompletionMessagesError = z.object({
  code: z.int().min(1).describe('The HTTP status and two more digits that tell causes of one status apart.'),
  message: z.string(),
  result: z.null(),
});
export type CompletionMessagesError = z.infer<typeof CompletionMessagesError>;
