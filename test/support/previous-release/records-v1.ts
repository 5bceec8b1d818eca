import { z } from 'zod';

/** How an API replica of the previous release reads a worker's heartbeat: every field known, else the worker is not there. */
export const WorkerRecordV1 = z.strictObject({
  workerId: z.string().min(1),
  state: z.enum(['loading', 'ready', 'draining', 'stopped']),
  models: z.array(
    z.strictObject({
      model: z.string().min(1),
      cardHash: z.string().min(1),
      slots: z.int().min(1),
      running: z.int().min(0),
      waiting: z.int().min(0),
    }),
  ),
  startedAtMs: z.int(),
  beatAtMs: z.int(),
});

/** How it reads a model's card. */
export const ModelCardV1 = z.strictObject({
  version: z.literal(1),
  model: z.string().min(1),
  tokenizerJson: z.string(),
  chatTemplate: z.string(),
  outputFormat: z.string().optional(),
  templateTokens: z.record(z.string(), z.string()),
  contextLength: z.int().min(2),
  vocabularySize: z.int().min(1),
  eosTokenIds: z.array(z.int().min(0)),
  createdAt: z.int(),
  ownedBy: z.string(),
});
