import type { GenerateJob } from '#contracts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { Answer } from './answer.ts';
import type { AnswerListener } from './answer-listener.ts';
import type { OutputListener } from './output/output-listener.ts';
import type { OutputReading } from './output/output-reading.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** A request that only has to be admitted and queued. */
export interface PreparedGeneration {
  readonly model: CataloguedModel;
  readonly job: GenerateJob;
  readonly priorityClass: ValidGenerateRequest['priorityClass'];
  readonly reading: OutputReading;
  /** To be called when it is not let in: it was known to others while it was prepared for long. */
  readonly refused: () => void;
}

/** An answer that has begun. */
export interface AcceptedAnswer {
  readonly answer: Answer;
  /** Whether its client can come back for the rest to another replica. */
  readonly kept: boolean;
  /** Leaves it to another replica. */
  handOver(): void;
}

/** Where an answer goes, as text. */
export interface AnswerTarget {
  readonly listener: AnswerListener;
  /** The queue has taken the job. Frames may have come before, when a worker was very quick. */
  accepted(open: AcceptedAnswer): void;
}

/** Where an answer goes, taken apart. */
export interface ReplyTarget {
  readonly listener: OutputListener;
  /** The queue has taken the job. Frames may have come before, when a worker was very quick. */
  accepted(open: AcceptedAnswer): void;
}
