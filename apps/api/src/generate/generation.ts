import { type GenerateJob, MillraceError, type OutputConstraint } from '#contracts';
import type { Logger } from '#observability';
import type { AnswerId, KeptAnswer, KeptAnswers, KeptEnding } from '#requests';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { ModelCatalogue } from '../catalogue/model-catalogue.ts';
import { requireServed } from '../catalogue/require-served.ts';
import type { ConstraintChecker } from '../constraints/constraint-checker.ts';
import { withToolPlace } from '../constraints/tool-field.ts';
import type { AttemptsObserver } from '../observation/request-observer.ts';
import type { PromptSource } from '../rendering/prompt-source.ts';
import type { CancelLatency } from '../requests/cancel-latency.ts';
import type { RequestJournal } from '../requests/request-journal.ts';
import type { Admission, AdmissionTicket } from './admission.ts';
import { Answer } from './answer.ts';
import type { AnswerListener } from './answer-listener.ts';
import { Course } from './course.ts';
import { Detachment } from './detachment.ts';
import { AttemptSeries } from './failover/attempt-series.ts';
import type { FailoverOptions } from './failover/failover-options.ts';
import { generateJobOf } from './generate-job-of.ts';
import { AnswerLog } from './kept/answer-log.ts';
import { AnswerRecorder } from './kept/answer-recorder.ts';
import type { FrameSink } from './kept/frame-sink.ts';
import { type KeptRequest, packKeptRequest, unpackKeptRequest } from './kept/kept-request.ts';
import { SILENT_LISTENER } from './kept/silent-listener.ts';
import { plannedConstraint, plannedReading } from './output/output-plan.ts';
import type { OutputReading } from './output/output-reading.ts';
import { templateVariablesOf } from './output/template-variables-of.ts';
import type { AnswerTarget, PreparedGeneration } from './prepared-generation.ts';
import type { QueuesPort } from './queue-port.ts';
import { QueueTimeout } from './queue-timeout.ts';
import type { RelayPort } from './relay-port.ts';
import type { KeepWish, RequestContext } from './request-context.ts';
import { tokenBudget } from './token-budget.ts';
import { toChatTool } from './tool-use.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** How requests outlive their workers, and where that is logged. */
export interface FailoverParts {
  readonly options: FailoverOptions;
  readonly logger: Logger;
  readonly cancelLatency: CancelLatency;
}

interface CourseOptions {
  readonly alias: string | null;
  readonly observer: AttemptsObserver;
  /** Null for an answer that ends with its connection. */
  readonly kept: { readonly epoch: number; readonly lastBatch: number } | null;
}

/** Whoever measured the request was on the replica that it began on. */
const UNOBSERVED: AttemptsObserver = { queued: () => {}, granted: () => {}, lost: () => {} };

type KeptFrame = (sink: Pick<FrameSink, 'delta' | 'finished'>) => void;

export interface GenerationParts {
  readonly catalogue: ModelCatalogue;
  readonly prompts: PromptSource;
  readonly constraints: ConstraintChecker;
  readonly admission: Admission;
  readonly relay: RelayPort;
  readonly queues: QueuesPort;
  readonly replicaId: string;
  readonly failover: FailoverParts;
  readonly journal: Pick<RequestJournal, 'open'>;
  readonly kept: KeptAnswers;
  /** How long a kept answer goes on that nobody follows. */
  readonly detachedMs: number;
}

/** The life of a request on this replica: prepared, admitted, queued, answered, settled; or taken over from another one. */
export class Generation {
  readonly #parts: GenerationParts;

  constructor(parts: GenerationParts) {
    this.#parts = parts;
  }

  /** Everything that can be wrong with a request by itself, before anything is taken for it. @throws MillraceError */
  async prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const { observer } = context;
    const prepared = await observer.preparing(request, () => this.#prepare(request, context));
    observer.prepared(prepared.job);
    return prepared;
  }

  /** By what a kept answer is taken apart when it is told again. @throws MillraceError model_not_found */
  async readingOf(
    job: GenerateJob,
    request: ValidGenerateRequest,
    reasoning: OutputReading['reasoning'],
  ): Promise<OutputReading> {
    const model = await this.#parts.catalogue.find(job.model);
    return { ...plannedReading(job.requestId, request, model, { reasoning: 'marked' }), reasoning };
  }

  /**
   * Admits the request, queues it, and stays until its answer is over. When the client leaves it leaves at once, unless the
   * answer is to be kept: then it goes on for a while.
   * @throws MillraceError when it is refused or can not be queued; later problems go to the target's listener
   */
  async run(prepared: PreparedGeneration, context: RequestContext, target: AnswerTarget): Promise<Answer> {
    const { observer } = context;
    const ticket = await observer.admitting(() => this.#admit(prepared, context));
    const job = ticket.weight === 1 ? prepared.job : { ...prepared.job, weight: ticket.weight };
    const { course, attempts, entry, recorder } = this.#course(job, ticket, observer.listening(target.listener), {
      alias: context.alias,
      observer: observer.attempts,
      kept: context.keep === null ? null : { epoch: job.epoch, lastBatch: 0 },
    });
    const { answer } = course;
    void answer.over.then(() => observer.ended(answer));
    using queueTimeout = new QueueTimeout(job, ticket.waitMs, answer);
    using detachment = this.#detachment(job, answer);
    try {
      if (context.keep !== null) await this.#keep(context.keep, { ...prepared, job }, ticket);
      await attempts.begin((queue, first) => queue.add(first, ticket.priority));
      await ticket.queued(job.epoch);
    } catch (error) {
      attempts[Symbol.dispose]();
      answer.abandon();
      entry.refused();
      await ticket.release();
      void recorder?.end(FAILED);
      throw error;
    }
    queueTimeout.begin();
    const leave = () => (course.kept ? detachment.begin() : answer.abandon());
    if (context.gone.aborted) leave();
    else context.gone.addEventListener('abort', leave, { once: true });
    target.accepted(course);
    await course.finish();
    context.gone.removeEventListener('abort', leave);
    return answer;
  }

  /**
   * Goes on with a kept request whose replica is dead or has left it, behind what that one delivered.
   * @param found as it was read before
   * @returns null when another replica has it, or it is over
   * @throws MillraceError unavailable
   */
  async adopt(id: AnswerId, found: KeptAnswer): Promise<Course | null> {
    const { kept, replicaId, admission, relay, queues, failover } = this.#parts;
    const epoch = await kept.adopt(id, found.owner, replicaId);
    if (epoch === null) return null;
    const frames: KeptFrame[] = [];
    const log = new AnswerLog(kept, id);
    let request: KeptRequest;
    let ticket: AdmissionTicket;
    try {
      request = await unpackKeptRequest(found.request);
      await log.read({
        delta: (delta) => frames.push((sink) => sink.delta(delta)),
        finished: (finished) => frames.push((sink) => sink.finished(finished)),
      });
      ticket = await admission.adopt({ ...request.terms, epoch, served: frames.length > 0 });
    } catch (error) {
      failover.logger.warn({ err: error, requestId: id.requestId }, 'a request could not be taken over');
      await kept.append(id, replicaId, epoch, null, endingFor(error));
      return null;
    }
    const job: GenerateJob = { ...request.job, relayAddress: relay.address, replicaId };
    const { course, attempts } = this.#course(job, ticket, SILENT_LISTENER, {
      alias: null,
      observer: UNOBSERVED,
      kept: { epoch, lastBatch: log.lastBatch },
    });
    if (frames.length > 0) course.answer.granted(found.owner);
    for (const feed of frames) feed(attempts.delivered);
    failover.logger.info({ requestId: id.requestId, epoch, from: found.owner, frames: frames.length }, 'taken over');
    // Its old job names a replica that is gone.
    void queues
      .of(job.model)
      .remove(job.requestId, epoch - 1)
      .catch(() => false);
    const detachment = this.#detachment(job, course.answer);
    detachment.begin();
    if (course.answer.state === 'generating') attempts.takeOver(epoch);
    void course.finish().finally(() => detachment[Symbol.dispose]());
    return course;
  }

  async #prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const { catalogue, admission, prompts, relay, replicaId } = this.#parts;
    const model = await catalogue.find(request.model);
    requireServed(model);
    const adapted = await admission.adapt(request, context.tenant);
    const conversation = {
      messages: adapted.messages,
      tools: (adapted.toolUse?.tools ?? []).map(toChatTool),
      templateVariables: templateVariablesOf(adapted, model),
    };
    const prompt = await prompts.render(model.cardHash, conversation, context.gone);
    const constraint = plannedConstraint(adapted, model, prompt);
    if (constraint !== null) await this.#check(model, constraint, adapted);
    const maxTokens = tokenBudget(adapted, prompt.tokenIds.length, model.card);
    const job = generateJobOf({ ...adapted, constraint }, model, prompt.tokenIds, maxTokens, {
      requestId: context.requestId,
      tenant: context.tenant,
      relayAddress: relay.address,
      replicaId,
      traceparent: context.observer.traceparent,
      longestWaitMs: context.longestWaitMs,
    });
    const { priorityClass } = adapted;
    return { model, job, priorityClass, reading: plannedReading(context.requestId, adapted, model, prompt) };
  }

  #admit({ model, job, priorityClass }: PreparedGeneration, context: RequestContext): Promise<AdmissionTicket> {
    return this.#parts.admission.admit({
      requestId: job.requestId,
      tenant: context.tenant,
      model,
      promptTokens: job.promptTokenIds.length,
      completionTokensLimit: job.stop.maxTokens * job.choices,
      longestWaitMs: context.longestWaitMs,
      priorityClass,
      refusedBefore: context.refusedBefore,
      paidMicrocredits: context.keep?.paidMicrocredits ?? 0,
      tell: context.tell,
    });
  }

  async #check(model: CataloguedModel, constraint: OutputConstraint, { toolUse }: ValidGenerateRequest): Promise<void> {
    try {
      await this.#parts.constraints.check(model, constraint);
    } catch (error) {
      throw error instanceof MillraceError ? withToolPlace(error, toolUse) : error;
    }
  }

  async #keep(
    { keyHash, path, body }: KeepWish,
    { job, reading: { reasoning } }: PreparedGeneration,
    { terms }: AdmissionTicket,
  ): Promise<void> {
    const request = await packKeptRequest({ path, body, job, terms, reasoning });
    const { tenantId, requestId, epoch } = job;
    await this.#parts.kept.keep({ tenantId, requestId }, this.#parts.replicaId, epoch, request, keyHash);
  }

  #detachment({ tenantId, requestId }: GenerateJob, answer: Answer): Detachment {
    const { kept, detachedMs } = this.#parts;
    return new Detachment(answer, { detachedMs, watchedMs: () => kept.watchedMs({ tenantId, requestId }) });
  }

  #course(
    job: GenerateJob,
    ticket: AdmissionTicket,
    listener: AnswerListener,
    { alias, observer, kept }: CourseOptions,
  ) {
    const { relay, queues, catalogue, failover, journal, replicaId } = this.#parts;
    const { tenantId, requestId } = job;
    const answer = new Answer(job.promptTokenIds.length, job.choices, listener, () => {
      void ticket.started();
      entry.started();
    });
    const recorder =
      kept === null
        ? null
        : new AnswerRecorder(this.#parts.kept, {
            id: { tenantId, requestId },
            owner: replicaId,
            ...kept,
            logger: failover.logger,
            onLost: () => course.taken(),
          });
    const attempts = new AttemptSeries(job, answer, {
      relay,
      queue: queues.of(job.model),
      isServed: () => catalogue.served().some(({ card }) => card.model === job.model),
      onAttempt: (epoch) => entry.attempt(epoch),
      recorder,
      observer,
      ...failover,
    });
    const entry = journal.open({ job, alias, kept: kept !== null, cancel: (why) => answer.failed(why) });
    const course: Course = new Course({ answer, attempts, ticket, entry, recorder, logger: failover.logger });
    return { course, attempts, entry, recorder };
  }
}

/** Its client hears why, and its key is free again. */
const FAILED: KeptEnding = {
  state: 'failed',
  error: { code: 'unavailable', message: 'The request could not be queued. Send it again.', param: null },
};

/** What can succeed later is left to whoever tries again. */
function endingFor(error: unknown): KeptEnding {
  if (!(error instanceof MillraceError)) {
    return { state: 'failed', error: { code: 'internal_error', message: 'It could not be taken over.', param: null } };
  }
  if (error.code === 'unavailable') return { state: 'released', error: null };
  return { state: 'failed', error: { code: error.code, message: error.message, param: error.param } };
}
