import { z } from 'zod';

const Alternative = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int().min(0).max(255)).nullable(),
});

export const Logprobs = z
  .object({
    content: z.array(Alternative.extend({ top_logprobs: z.array(Alternative) })).nullable(),
    refusal: z.null(),
  })
  .nullable();
export type Logprobs = z.infer<typeof Logprobs>;

export const FinishReason = z.enum(['stop', 'length']);

/** What every dialect tells of the usage. */
export const TokenCounts = z.object({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0).describe('Of all choices together.'),
  total_tokens: z.int().min(0),
});
export type TokenCounts = z.infer<typeof TokenCounts>;

export const Usage = TokenCounts.extend({ prompt_tokens_details: z.object({ cached_tokens: z.int().min(0) }) });
export type Usage = z.infer<typeof Usage>;

/** The error body of OpenAI. */
export const OpenaiErrorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export type OpenaiErrorBody = z.infer<typeof OpenaiErrorBody>;
