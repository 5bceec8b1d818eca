import { type GenerateJob, MillraceError, type OutputConstraint } from '#contracts';
import type { Logger } from '#observability';
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
import { AttemptSeries } from './failover/attempt-series.ts';
import type { FailoverOptions } from './failover/failover-options.ts';
import { generateJobOf } from './generate-job-of.ts';
import { outcomeOf } from './outcome.ts';
import { plannedConstraint, plannedReading } from './output/output-plan.ts';
import { templateVariablesOf } from './output/template-variables-of.ts';
import type { AnswerTarget, PreparedGeneration } from './prepared-generation.ts';
import type { QueuesPort } from './queue-port.ts';
import { QueueTimeout } from './queue-timeout.ts';
import type { RelayPort } from './relay-port.ts';
import type { RequestContext } from './request-context.ts';
import { tokenBudget } from './token-budget.ts';
import { toChatTool } from './tool-use.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** How requests outlive their workers, and where that is logged. */
export interface FailoverParts {
  readonly options: FailoverOptions;
  readonly logger: Logger;
  readonly cancelLatency: CancelLatency;
}

/** The life of a request on this replica: prepared, admitted, queued, answered, settled. */
export class Generation {
  readonly #catalogue: ModelCatalogue;
  readonly #prompts: PromptSource;
  readonly #constraints: ConstraintChecker;
  readonly #admission: Admission;
  readonly #relay: RelayPort;
  readonly #queues: QueuesPort;
  readonly #replicaId: string;
  readonly #failover: FailoverParts;
  readonly #journal: Pick<RequestJournal, 'open'>;

  constructor(
    catalogue: ModelCatalogue,
    prompts: PromptSource,
    constraints: ConstraintChecker,
    admission: Admission,
    relay: RelayPort,
    queues: QueuesPort,
    replicaId: string,
    failover: FailoverParts,
    journal: Pick<RequestJournal, 'open'>,
  ) {
    this.#catalogue = catalogue;
    this.#prompts = prompts;
    this.#constraints = constraints;
    this.#admission = admission;
    this.#relay = relay;
    this.#queues = queues;
    this.#replicaId = replicaId;
    this.#failover = failover;
    this.#journal = journal;
  }

  /** Everything that can be wrong with a request by itself, before anything is taken for it. @throws MillraceError */
  async prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const { observer } = context;
    const prepared = await observer.preparing(request, () => this.#prepare(request, context));
    observer.prepared(prepared.job);
    return prepared;
  }

  /**
   * Admits the request, queues it, and stays until its answer is over; leaves at once when the client does.
   * @throws MillraceError when it is refused or can not be queued; later problems go to the target's listener
   */
  async run(
    { model, job: prepared }: PreparedGeneration,
    context: RequestContext,
    target: AnswerTarget,
  ): Promise<Answer> {
    const { observer } = context;
    const ticket = await observer.admitting(() => this.#admit(model, prepared, context));
    const job = ticket.weight === 1 ? prepared : { ...prepared, weight: ticket.weight };
    const started = () => {
      void ticket.started();
      entry.started();
    };
    const answer = new Answer(job.promptTokenIds.length, job.choices, observer.listening(target.listener), started);
    const entry = this.#journal.open({ job, alias: context.alias, kept: false, cancel: (why) => answer.failed(why) });
    using queueTimeout = new QueueTimeout(job, ticket.waitMs, answer);
    const attempts = this.#attemptsOf(job, answer, entry.attempt, observer.attempts);
    try {
      await attempts.begin((queue, first) => queue.add(first, ticket.priority));
      await ticket.queued(job.epoch);
    } catch (error) {
      attempts[Symbol.dispose]();
      answer.abandon();
      entry.refused();
      await ticket.release();
      throw error;
    }
    queueTimeout.begin();
    const leave = () => answer.abandon();
    if (context.gone.aborted) leave();
    else context.gone.addEventListener('abort', leave, { once: true });
    target.accepted(answer);
    const state = await answer.over;
    context.gone.removeEventListener('abort', leave);
    observer.ended(answer);
    if (state === 'ended') attempts[Symbol.dispose]();
    else void attempts.end(answer.failure?.message ?? 'the client closed its connection');
    await ticket.settle(outcomeOf(answer), answer.usage);
    entry.ended(answer);
    return answer;
  }

  async #prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const model = await this.#catalogue.find(request.model);
    requireServed(model);
    const adapted = await this.#admission.adapt(request, context.tenant);
    const conversation = {
      messages: adapted.messages,
      tools: (adapted.toolUse?.tools ?? []).map(toChatTool),
      templateVariables: templateVariablesOf(adapted, model),
    };
    const prompt = await this.#prompts.render(model.cardHash, conversation, context.gone);
    const constraint = plannedConstraint(adapted, model, prompt);
    if (constraint !== null) await this.#check(model, constraint, adapted);
    const maxTokens = tokenBudget(adapted, prompt.tokenIds.length, model.card);
    const job = generateJobOf({ ...adapted, constraint }, model, prompt.tokenIds, maxTokens, {
      requestId: context.requestId,
      tenant: context.tenant,
      relayAddress: this.#relay.address,
      replicaId: this.#replicaId,
      traceparent: context.observer.traceparent,
      longestWaitMs: context.longestWaitMs,
    });
    return { model, job, reading: plannedReading(context.requestId, adapted, model, prompt) };
  }

  #admit(model: CataloguedModel, job: GenerateJob, context: RequestContext): Promise<AdmissionTicket> {
    return this.#admission.admit({
      requestId: job.requestId,
      tenant: context.tenant,
      model,
      promptTokens: job.promptTokenIds.length,
      completionTokensLimit: job.stop.maxTokens * job.choices,
      longestWaitMs: context.longestWaitMs,
      refusedBefore: context.refusedBefore,
      tell: context.tell,
    });
  }

  async #check(model: CataloguedModel, constraint: OutputConstraint, { toolUse }: ValidGenerateRequest): Promise<void> {
    try {
      await this.#constraints.check(model, constraint);
    } catch (error) {
      throw error instanceof MillraceError ? withToolPlace(error, toolUse) : error;
    }
  }

  #attemptsOf(
    job: GenerateJob,
    answer: Answer,
    onAttempt: (epoch: number) => void,
    observer: AttemptsObserver,
  ): AttemptSeries {
    return new AttemptSeries(job, answer, {
      relay: this.#relay,
      queue: this.#queues.of(job.model),
      isServed: () => this.#catalogue.served().some(({ card }) => card.model === job.model),
      onAttempt,
      observer,
      ...this.#failover,
    });
  }
}
