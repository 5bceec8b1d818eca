import { z } from 'zod';

/** How a worker of the previous release reads a job: every field known, anything else refused. */
export const JobV1 = z.strictObject({
  version: z.literal(1),
  requestId: z.string().min(1),
  epoch: z.int().min(1),
  model: z.string().min(1),
  cardHash: z.string().min(1),
  tenantId: z.string().min(1),
  promptTokenIds: z.array(z.int().min(0)).min(1),
  choices: z.int().min(1),
  sampling: z.strictObject({
    temperature: z.number(),
    topP: z.number(),
    topK: z.number(),
    minP: z.number(),
    repetitionPenalty: z.number(),
    presencePenalty: z.number(),
    frequencyPenalty: z.number(),
    logitBias: z.array(z.tuple([z.int(), z.number()])),
    seed: z.int(),
  }),
  stop: z.strictObject({ tokenIds: z.array(z.int()), strings: z.array(z.string()), maxTokens: z.int() }),
  constraint: z.unknown().optional(),
  topLogprobs: z.int().nullable(),
  relayAddress: z.string().min(1),
  replicaId: z.string().min(1),
  enqueuedAtMs: z.int(),
  deadlineMs: z.int().nullable(),
  traceparent: z.string().nullable(),
});
export type JobV1 = z.infer<typeof JobV1>;
