import type { GenerateJob } from '#contracts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { Answer } from './answer.ts';
import type { AnswerListener } from './answer-listener.ts';

/** A request that only has to be admitted and queued. */
export interface PreparedGeneration {
  readonly model: CataloguedModel;
  readonly job: GenerateJob;
}

/** Where an answer goes. */
export interface ReplyTarget {
  readonly listener: AnswerListener;
  /** The queue has taken the job. Frames may have come before, when a worker was very quick. */
  accepted(answer: Answer): void;
}
