import type { GenerateJob } from '#contracts';

/** The queue of one model, as far as the life of a request needs it (`ModelQueue` of libs/queue). */
export interface QueuePort {
  /** @throws MillraceError unavailable */
  add(job: GenerateJob, priority?: number): Promise<void>;
  /** @returns whether the job was still queued and is gone */
  remove(requestId: string, epoch: number): Promise<boolean>;
}

export interface QueuesPort {
  of(model: string): QueuePort;
}
