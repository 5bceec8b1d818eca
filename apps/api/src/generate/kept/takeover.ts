import { type GenerateJob, MillraceError } from '#contracts';
import type { Logger } from '#observability';
import type { AnswerId, KeptAnswer, KeptAnswers, KeptEnding, RefusedRequests } from '#requests';
import type { AttemptsObserver } from '../../observation/request-observer.ts';
import type { Admission, AdmissionTicket } from '../admission.ts';
import type { Course } from '../course.ts';
import type { Courses } from '../courses.ts';
import { fingerprintOfJob } from '../failover/fingerprint-of-job.ts';
import type { QueuesPort } from '../queue-port.ts';
import type { RelayPort } from '../relay-port.ts';
import { AnswerLog } from './answer-log.ts';
import type { FrameSink } from './frame-sink.ts';
import { type KeptRequest, unpackKeptRequest } from './kept-request.ts';
import { SILENT_LISTENER } from './silent-listener.ts';

export interface TakeoverParts {
  readonly kept: Pick<KeptAnswers, 'adopt' | 'append' | 'frames'>;
  readonly admission: Pick<Admission, 'adopt'>;
  readonly courses: Courses;
  readonly relay: Pick<RelayPort, 'address'>;
  readonly queues: QueuesPort;
  readonly refused: Pick<RefusedRequests, 'add'>;
  readonly replicaId: string;
  /** A request that has lost so many replicas is not taken over again. */
  readonly mostLosses: number;
  readonly logger: Logger;
}

/** Whoever measured the request was on the replica that it began on. */
const UNOBSERVED: AttemptsObserver = { queued: () => {}, granted: () => {}, lost: () => {} };

type KeptFrame = (sink: Pick<FrameSink, 'delta' | 'finished'>) => void;

/** Goes on with kept requests whose replica is dead or has left them, behind what that one delivered. */
export class Takeover {
  readonly #parts: TakeoverParts;

  constructor(parts: TakeoverParts) {
    this.#parts = parts;
  }

  /**
   * @param found as it was read before
   * @returns null when another replica has it, it is over, or nothing can be made of it here
   * @throws MillraceError unavailable
   */
  async take(id: AnswerId, found: KeptAnswer): Promise<Course | null> {
    const { kept, replicaId, logger, mostLosses } = this.#parts;
    let request: KeptRequest;
    try {
      request = await unpackKeptRequest(found.request);
    } catch (err) {
      // Of a later release, say: another replica can read it, or it is forgotten in time.
      logger.warn({ err, requestId: id.requestId }, 'a request of another replica can not be read');
      return null;
    }
    const adopted = await kept.adopt(id, found.owner, replicaId);
    if (adopted === null) return null;
    const { epoch, losses } = adopted;
    if (losses >= mostLosses) {
      await this.#refuse(id, request, found, epoch, losses);
      return null;
    }
    const frames: KeptFrame[] = [];
    const log = new AnswerLog(kept, id);
    let ticket: AdmissionTicket;
    try {
      await log.read({
        delta: (delta) => frames.push((sink) => sink.delta(delta)),
        finished: (finished) => frames.push((sink) => sink.finished(finished)),
      });
      ticket = await this.#parts.admission.adopt({ ...request.terms, epoch, served: frames.length > 0 });
    } catch (error) {
      logger.warn({ err: error, requestId: id.requestId }, 'a request could not be taken over');
      await kept.append(id, replicaId, epoch, null, endingFor(error));
      return null;
    }
    logger.info({ requestId: id.requestId, epoch, from: found.owner, frames: frames.length }, 'taken over');
    return this.#goOn(request, ticket, { owner: found.owner, epoch, frames, lastBatch: log.lastBatch });
  }

  #goOn(
    request: KeptRequest,
    ticket: AdmissionTicket,
    from: {
      readonly owner: string;
      readonly epoch: number;
      readonly frames: readonly KeptFrame[];
      readonly lastBatch: number;
    },
  ): Course {
    const { courses, relay, queues, replicaId } = this.#parts;
    const { owner, epoch, frames, lastBatch } = from;
    const job: GenerateJob = { ...request.job, relayAddress: relay.address, replicaId };
    const { course, attempts } = courses.open(job, ticket, SILENT_LISTENER, {
      alias: null,
      observer: UNOBSERVED,
      whole: job.whole === true,
      kept: { epoch, lastBatch },
    });
    if (frames.length > 0) course.answer.granted(owner);
    for (const feed of frames) feed(attempts.delivered);
    // Its old job names a replica that is gone.
    void queues
      .of(job.model)
      .remove(job.requestId, epoch - 1)
      .catch(() => false);
    const detachment = courses.detachment(job, course.answer);
    detachment.begin();
    if (course.answer.state === 'generating') attempts.takeOver(epoch);
    void course.finish().finally(() => detachment[Symbol.dispose]());
    return course;
  }

  /** What it holds comes back when its lease runs out, less what workers say that they made. */
  async #refuse(id: AnswerId, { job }: KeptRequest, found: KeptAnswer, epoch: number, losses: number): Promise<void> {
    const { kept, refused, replicaId, logger } = this.#parts;
    const { tenantId, requestId } = id;
    const cause = `${losses} API replicas were lost that worked on it`;
    logger.error({ requestId, tenantId, model: job.model, losses }, 'request refused: it may be what ends replicas');
    await kept.append(id, replicaId, epoch, null, {
      state: 'failed',
      error: {
        code: 'attempts_exhausted',
        message: `Request ${requestId} is not tried again: ${cause}. The operator finds it by its id.`,
        param: null,
      },
    });
    await refused.add({
      requestId,
      tenantId,
      model: job.model,
      refusedAtMs: Date.now(),
      lost: 'replica',
      lostAttempts: losses,
      lostIds: [found.owner],
      promptTokens: job.promptTokenIds.length,
      deliveredTokens: 0,
      fingerprint: fingerprintOfJob(job),
      cause,
    });
  }
}

/** What can succeed later is left to whoever tries again. */
function endingFor(error: unknown): KeptEnding {
  if (!(error instanceof MillraceError)) {
    return { state: 'failed', error: { code: 'internal_error', message: 'It could not be taken over.', param: null } };
  }
  if (error.code === 'unavailable') return { state: 'released', error: null };
  return { state: 'failed', error: { code: error.code, message: error.message, param: error.param } };
}
