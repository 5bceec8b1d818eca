import type { GenerateJob } from '#contracts';
import type { JobState } from '#queue';

/** The queue of one model, as far as the life of a request needs it (`ModelQueue` of libs/queue). */
export interface QueuePort {
  /** @throws MillraceError unavailable */
  add(job: GenerateJob, priority?: number): Promise<void>;
  /** Before all that were added otherwise. @throws MillraceError unavailable */
  addFirst(job: GenerateJob): Promise<void>;
  /** @throws MillraceError unavailable */
  stateOf(requestId: string, epoch: number): Promise<JobState>;
  /** @returns whether the job was still queued and is gone */
  remove(requestId: string, epoch: number): Promise<boolean>;
}

export interface QueuesPort {
  of(model: string): QueuePort;
}
