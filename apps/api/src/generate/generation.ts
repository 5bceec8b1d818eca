import { type GenerateJob, MillraceError, type OutputConstraint } from '#contracts';
import type { KeptAnswers, KeptEnding } from '#requests';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { ModelCatalogue } from '../catalogue/model-catalogue.ts';
import { requireServed } from '../catalogue/require-served.ts';
import { withCallersField } from '../constraints/caller-field.ts';
import type { ConstraintChecker } from '../constraints/constraint-checker.ts';
import type { PromptSource } from '../rendering/prompt-source.ts';
import type { Admission, AdmissionTicket } from './admission.ts';
import { Answer } from './answer.ts';
import type { Courses } from './courses.ts';
import { generateJobOf } from './generate-job-of.ts';
import { packKeptRequest } from './kept/kept-request.ts';
import { plannedConstraint, plannedReading } from './output/output-plan.ts';
import type { OutputReading } from './output/output-reading.ts';
import { templateVariablesOf } from './output/template-variables-of.ts';
import { type PreparationParts, whilePreparing } from './preparation.ts';
import type { AnswerTarget, PreparedGeneration } from './prepared-generation.ts';
import { QueueTimeout } from './queue-timeout.ts';
import type { RelayPort } from './relay-port.ts';
import type { KeepWish, RequestContext } from './request-context.ts';
import { RequestDeadline } from './request-deadline.ts';
import { tokenBudget } from './token-budget.ts';
import { toChatTool } from './tool-use.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

export interface GenerationParts extends PreparationParts {
  readonly catalogue: ModelCatalogue;
  readonly prompts: PromptSource;
  readonly constraints: ConstraintChecker;
  readonly admission: Admission;
  readonly relay: RelayPort;
  readonly replicaId: string;
  readonly courses: Courses;
  readonly kept: Pick<KeptAnswers, 'keep'>;
  /** How another worker catches up with what was delivered, where the client does not say. */
  readonly resumeBy: 'exact' | 'fast';
}

/** The life of a request on this replica: prepared, admitted, queued, answered, settled. */
export class Generation {
  readonly #parts: GenerationParts;

  constructor(parts: GenerationParts) {
    this.#parts = parts;
  }

  /** Everything that can be wrong with a request by itself, before anything is taken for it. @throws MillraceError */
  async prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const { observer } = context;
    const prepared = await whilePreparing(context, request.model, this.#parts, (ended) =>
      observer.preparing(request, () => this.#prepare(request, context, ended)),
    );
    observer.prepared(prepared.job);
    return prepared;
  }

  /** By what a kept answer is taken apart when it is told again. @throws MillraceError model_not_found */
  async readingOf(
    job: GenerateJob,
    request: ValidGenerateRequest,
    start: Pick<OutputReading, 'reasoning' | 'begun'>,
  ): Promise<OutputReading> {
    const model = await this.#parts.catalogue.find(job.model);
    return { ...plannedReading(job.requestId, request, model, { reasoning: 'marked', begun: '' }), ...start };
  }

  /**
   * Admits the request, queues it, and stays until its answer is over. When the client leaves it leaves at once, unless the
   * answer is to be kept: then it goes on for a while.
   * @throws MillraceError when it is refused or can not be queued; later problems go to the target's listener
   */
  async run(prepared: PreparedGeneration, context: RequestContext, target: AnswerTarget): Promise<Answer> {
    const { observer } = context;
    const ticket = await this.#admitted(prepared, context);
    const job = ticket.weight === 1 ? prepared.job : { ...prepared.job, weight: ticket.weight };
    const { course, attempts, entry, recorder } = this.#parts.courses.open(
      job,
      ticket,
      observer.listening(target.listener),
      {
        alias: context.alias,
        observer: observer.attempts,
        whole: context.whole,
        kept: context.keep === null ? null : { epoch: job.epoch, lastBatch: 0 },
      },
    );
    const { answer } = course;
    void answer.over.then(() => observer.ended(answer));
    using queueTimeout = new QueueTimeout(job, ticket.waitMs, answer);
    using _deadline = new RequestDeadline(context.endsAtMs, (error) => answer.failed(error));
    using detachment = this.#parts.courses.detachment(job, answer);
    try {
      if (context.keep !== null) await this.#keep(context.keep, { ...prepared, job }, ticket);
      if (ticket.mayOffer !== null) ticket.offering();
      await attempts.begin(ticket.mayOffer, async (queue, first, computedAt) => {
        const queueing = queue.add(first, ticket.priority);
        ticket.queueing(computedAt);
        await queueing;
        await ticket.queued(first.epoch);
      });
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

  async #prepare(
    request: ValidGenerateRequest,
    context: RequestContext,
    ended: AbortSignal,
  ): Promise<Omit<PreparedGeneration, 'refused'>> {
    const { catalogue, admission, prompts, relay, replicaId } = this.#parts;
    const model = await catalogue.find(request.model);
    requireServed(model);
    const adapted = await admission.adapt(request, context.tenant);
    const conversation = {
      messages: adapted.messages,
      tools: (adapted.toolUse?.tools ?? []).map(toChatTool),
      templateVariables: templateVariablesOf(adapted, model),
      end: adapted.promptEnd,
      badWords: adapted.badWords,
    };
    const prompt = await prompts.render(model.cardHash, conversation, context.tenant.tenantId, ended);
    const constraint = plannedConstraint(adapted, model, prompt);
    if (constraint !== null) await this.#check(model, constraint, adapted, context, ended);
    const reading = plannedReading(context.requestId, adapted, model, prompt);
    const maxTokens = tokenBudget(adapted, prompt.tokenIds.length, model.card);
    const job = generateJobOf({ ...adapted, constraint }, model, prompt, maxTokens, {
      requestId: context.requestId,
      tenant: context.tenant,
      relayAddress: relay.address,
      replicaId,
      traceparent: context.observer.traceparent,
      longestWaitMs: context.longestWaitMs,
      resumeBy: context.resumeBy ?? this.#parts.resumeBy,
      // Tokens of reasoning are counted one by one, as they come.
      whole: context.whole && reading.reasoning === 'off',
    });
    const { priorityClass } = adapted;
    return { model, job, priorityClass, reading };
  }

  async #admitted(prepared: PreparedGeneration, context: RequestContext): Promise<AdmissionTicket> {
    try {
      return await context.observer.admitting(() => this.#admit(prepared, context));
    } catch (error) {
      prepared.refused();
      throw error;
    }
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

  async #check(
    model: CataloguedModel,
    constraint: OutputConstraint,
    request: ValidGenerateRequest,
    { tenant }: RequestContext,
    ended: AbortSignal,
  ): Promise<void> {
    try {
      await this.#parts.constraints.check(model, constraint, tenant.tenantId, ended);
    } catch (error) {
      throw error instanceof MillraceError ? withCallersField(error, request) : error;
    }
  }

  async #keep(
    { keyHash, path, body }: KeepWish,
    { job, reading: { reasoning, begun } }: PreparedGeneration,
    { terms }: AdmissionTicket,
  ): Promise<void> {
    const request = await packKeptRequest({ path, body, job, terms, reasoning, begun });
    const { tenantId, requestId, epoch } = job;
    if (await this.#parts.kept.keep({ tenantId, requestId }, this.#parts.replicaId, epoch, request, keyHash)) return;
    throw new MillraceError(
      'idempotency_conflict',
      'Another request with this Idempotency-Key was let in meanwhile. Send it again in a second.',
      { param: 'Idempotency-Key', retryAfterMs: 1_000 },
    );
  }
}

/** Its client hears why, and its key is free again. */
const FAILED: KeptEnding = {
  state: 'failed',
  error: { code: 'unavailable', message: 'The request could not be queued. Send it again.', param: null },
};
