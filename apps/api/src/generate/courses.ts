import type { GenerateJob } from '#contracts';
import type { Logger } from '#observability';
import type { KeptAnswers, RefusedRequests } from '#requests';
import type { ModelCatalogue } from '../catalogue/model-catalogue.ts';
import type { AttemptsObserver } from '../observation/request-observer.ts';
import type { CancelLatency } from '../requests/cancel-latency.ts';
import type { JournalEntry, RequestJournal } from '../requests/request-journal.ts';
import type { AdmissionTicket } from './admission.ts';
import { Answer } from './answer.ts';
import type { AnswerListener } from './answer-listener.ts';
import { Course } from './course.ts';
import { Detachment } from './detachment.ts';
import { AttemptSeries } from './failover/attempt-series.ts';
import type { FailoverOptions } from './failover/failover-options.ts';
import { AnswerRecorder } from './kept/answer-recorder.ts';
import type { OffersPort } from './offers/offers-port.ts';
import type { QueuesPort } from './queue-port.ts';
import type { RelayPort } from './relay-port.ts';

export interface CoursesParts {
  readonly catalogue: Pick<ModelCatalogue, 'served'>;
  readonly relay: RelayPort;
  readonly queues: QueuesPort;
  readonly offers: OffersPort | null;
  readonly replicaId: string;
  readonly failover: FailoverOptions;
  readonly logger: Logger;
  readonly cancelLatency: CancelLatency;
  readonly journal: Pick<RequestJournal, 'open'>;
  readonly kept: Pick<KeptAnswers, 'append' | 'watchedMs'>;
  readonly refused: Pick<RefusedRequests, 'add'>;
  /** How long a kept answer goes on that nobody follows. */
  readonly detachedMs: number;
}

export interface CourseOptions {
  /** The client's own `x-request-id`; null for none. */
  readonly alias: string | null;
  readonly observer: AttemptsObserver;
  /** Nothing of the answer reaches its client before all of it. */
  readonly whole: boolean;
  /** Null for an answer that ends with its connection. */
  readonly kept: { readonly epoch: number; readonly lastBatch: number } | null;
}

/** A course and those of its parts that whoever opens it has to set going. */
export interface OpenedCourse {
  readonly course: Course;
  readonly attempts: AttemptSeries;
  readonly entry: JournalEntry;
  readonly recorder: AnswerRecorder | null;
}

/** Puts together what a request needs on this replica, from the queue to its settlement. */
export class Courses {
  readonly #parts: CoursesParts;

  constructor(parts: CoursesParts) {
    this.#parts = parts;
  }

  open(job: GenerateJob, ticket: AdmissionTicket, listener: AnswerListener, options: CourseOptions): OpenedCourse {
    const { relay, queues, offers, catalogue, failover, logger, cancelLatency, journal } = this.#parts;
    const { alias, observer, whole, kept } = options;
    const onStarted = () => {
      void ticket.started();
      entry.started();
    };
    const onFirstTokens = () => {
      ticket.delivering();
      if (job.whole !== true) entry.told();
    };
    const answer = new Answer(job.promptTokenIds.length, job.choices, listener, onStarted, onFirstTokens);
    const recorder = kept === null ? null : this.#recorder(job, kept, () => course.taken());
    const attempts = new AttemptSeries(job, answer, {
      relay,
      queue: queues.of(job.model),
      offers,
      isServed: () => catalogue.served().some(({ card }) => card.model === job.model),
      onAttempt: (epoch) => {
        ticket.queuedAgain();
        entry.attempt(epoch);
      },
      onRefused: (refused) => {
        this.#parts.refused.add(refused).catch((err: unknown) => logger.warn({ err, ...refused }, 'not noted'));
      },
      recorder,
      observer,
      options: failover,
      logger,
      cancelLatency,
    });
    const entry = journal.open({ job, alias, kept: kept !== null, cancel: (why) => answer.failed(why) });
    const course: Course = new Course({ answer, attempts, ticket, entry, recorder, whole, logger });
    return { course, attempts, entry, recorder };
  }

  detachment({ tenantId, requestId }: GenerateJob, answer: Answer): Detachment {
    const { kept, detachedMs } = this.#parts;
    return new Detachment(answer, { detachedMs, watchedMs: () => kept.watchedMs({ tenantId, requestId }) });
  }

  #recorder(
    { tenantId, requestId }: GenerateJob,
    from: { readonly epoch: number; readonly lastBatch: number },
    onLost: () => void,
  ): AnswerRecorder {
    const { kept, replicaId, logger } = this.#parts;
    return new AnswerRecorder(kept, { id: { tenantId, requestId }, owner: replicaId, ...from, logger, onLost });
  }
}
