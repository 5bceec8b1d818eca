import { z } from 'zod';

/** A request as `GET /v1/requests/{id}` shows it. */
export const RequestBody = z.object({
  id: z.string(),
  object: z.literal('request'),
  model: z.string(),
  state: z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']),
  created_at: z.int().describe('Unix time in seconds.'),
  started_at: z.int().nullable().describe('When a worker took it.'),
  ended_at: z.int().nullable(),
  queued_ms: z.int().min(0).nullable().describe('How long it waited until a worker took it; null before.'),
  queue: z
    .object({ position: z.int().min(1), estimated_wait_ms: z.int().min(0) })
    .nullable()
    .describe('Where it stands; null once a worker has taken it.'),
  attempts: z.int().min(1).describe('How many workers were asked to answer it, one after another.'),
  resumable: z.boolean().describe('Whether its answer is kept for a client that comes back.'),
  finish_reasons: z.array(z.string()).describe('One per choice, when it is finished.'),
  usage: z
    .object({
      prompt_tokens: z.int(),
      completion_tokens: z.int(),
      total_tokens: z.int(),
      prompt_tokens_details: z.object({ cached_tokens: z.int() }),
    })
    .nullable()
    .describe('What it used, when it is over.'),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type RequestBody = z.infer<typeof RequestBody>;
