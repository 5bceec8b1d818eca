import { z } from 'zod';

/** `loading → ready → draining → stopped`; a worker takes jobs only when ready. */
export const WorkerState = z.enum(['loading', 'ready', 'draining', 'stopped']);
export type WorkerState = z.infer<typeof WorkerState>;

/** A model that a worker has or was asked for, wherever it stands: `failed` when it could not be loaded, or not be let go. */
export const HostedModelRecord = z.object({
  model: z.string().min(1),
  /** Where the worker has it from, as it was named. */
  folder: z.string(),
  state: z.enum(['loading', 'ready', 'draining', 'failed']),
  slots: z.int().min(1),
  /** Of its forward passes. */
  threads: z.int().min(1),
  running: z.int().min(0),
  waiting: z.int().min(0),
  /** What it may take: weights, keys and values as configured, its part of the process. */
  memoryBytes: z.int().min(0),
  /** Why it failed; null where it did not. */
  problem: z.string().nullable(),
});
export type HostedModelRecord = z.infer<typeof HostedModelRecord>;

/** What a worker says of all its models and its memory. */
export const WorkerHolding = z.object({
  models: z.array(HostedModelRecord),
  /** What models may take together; null where the worker was given no limit. */
  memoryLimitBytes: z.int().min(0).nullable(),
  rssBytes: z.int().min(0),
});
export type WorkerHolding = z.infer<typeof WorkerHolding>;

/** A worker's heartbeat in Redis; it expires by itself when the worker dies. Readers pass over fields that they do not know. */
export const WorkerRecord = z.object({
  workerId: z.string().min(1),
  state: WorkerState,
  /** In a ready worker those that it takes jobs for; in another one all that it has. */
  models: z.array(
    z.object({
      model: z.string().min(1),
      cardHash: z.string().min(1),
      slots: z.int().min(1),
      running: z.int().min(0),
      waiting: z.int().min(0),
    }),
  ),
  /** Newest version of jobs that it reads; 1 when it does not say. Kept beside the record, which older readers take only as it was. */
  jobVersion: z.int().min(1).optional(),
  /** Kept beside the record as well; a worker of an older release does not say it. */
  holding: WorkerHolding.optional(),
  startedAtMs: z.int(),
  beatAtMs: z.int(),
});
export type WorkerRecord = z.infer<typeof WorkerRecord>;
