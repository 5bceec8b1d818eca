import { z } from 'zod';

/** `loading → ready → draining → stopped`; a worker takes jobs only when ready. */
export const WorkerState = z.enum(['loading', 'ready', 'draining', 'stopped']);
export type WorkerState = z.infer<typeof WorkerState>;

/** A worker's heartbeat in Redis; it expires by itself when the worker dies. Readers pass over fields that they do not know. */
export const WorkerRecord = z.object({
  workerId: z.string().min(1),
  state: WorkerState,
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
  startedAtMs: z.int(),
  beatAtMs: z.int(),
});
export type WorkerRecord = z.infer<typeof WorkerRecord>;
