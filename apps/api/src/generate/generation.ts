import type { GenerateJob } from '#contracts';
import type { Logger } from '#observability';
import type { ModelCatalogue } from '../catalogue/model-catalogue.ts';
import { requireServed } from '../catalogue/require-served.ts';
import type { ConstraintChecker } from '../constraints/constraint-checker.ts';
import type { PromptSource } from '../rendering/prompt-source.ts';
import type { Admission } from './admission.ts';
import { Answer } from './answer.ts';
import { AttemptSeries } from './failover/attempt-series.ts';
import type { FailoverOptions } from './failover/failover-options.ts';
import { generateJobOf } from './generate-job-of.ts';
import type { PreparedGeneration, ReplyTarget } from './prepared-generation.ts';
import type { QueuesPort } from './queue-port.ts';
import { QueueTimeout } from './queue-timeout.ts';
import type { RelayPort } from './relay-port.ts';
import type { RequestContext } from './request-context.ts';
import { tokenBudget } from './token-budget.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

const OUTCOMES = { ended: 'completed', failed: 'failed', abandoned: 'cancelled', generating: 'cancelled' } as const;

/** How requests outlive their workers, and where that is logged. */
export interface FailoverParts {
  readonly options: FailoverOptions;
  readonly logger: Logger;
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

  constructor(
    catalogue: ModelCatalogue,
    prompts: PromptSource,
    constraints: ConstraintChecker,
    admission: Admission,
    relay: RelayPort,
    queues: QueuesPort,
    replicaId: string,
    failover: FailoverParts,
  ) {
    this.#catalogue = catalogue;
    this.#prompts = prompts;
    this.#constraints = constraints;
    this.#admission = admission;
    this.#relay = relay;
    this.#queues = queues;
    this.#replicaId = replicaId;
    this.#failover = failover;
  }

  /** Everything that can be wrong with a request by itself, before anything is taken for it. @throws MillraceError */
  async prepare(request: ValidGenerateRequest, context: RequestContext): Promise<PreparedGeneration> {
    const model = await this.#catalogue.find(request.model);
    requireServed(model);
    const adapted = await this.#admission.adapt(request, context.tenant);
    if (adapted.constraint !== null) await this.#constraints.check(model, adapted.constraint);
    const promptTokenIds = await this.#prompts.render(model.cardHash, adapted.messages, context.gone);
    const maxTokens = tokenBudget(adapted, promptTokenIds.length, model.card);
    const job = generateJobOf(adapted, model, promptTokenIds, maxTokens, {
      requestId: context.requestId,
      tenant: context.tenant,
      relayAddress: this.#relay.address,
      replicaId: this.#replicaId,
      traceparent: context.traceparent,
      longestWaitMs: context.longestWaitMs,
    });
    return { model, job };
  }

  /**
   * Admits the request, queues it, and stays until its answer is over; leaves at once when the client does.
   * @throws MillraceError when it is refused or can not be queued; later problems go to the target's listener
   */
  async run({ model, job }: PreparedGeneration, context: RequestContext, target: ReplyTarget): Promise<Answer> {
    const ticket = await this.#admission.admit({
      requestId: job.requestId,
      tenant: context.tenant,
      model,
      promptTokens: job.promptTokenIds.length,
      completionTokensLimit: job.stop.maxTokens * job.choices,
      longestWaitMs: context.longestWaitMs,
      tell: context.tell,
    });
    const answer = new Answer(job.promptTokenIds.length, job.choices, target.listener, () => void ticket.started());
    using queueTimeout = new QueueTimeout(job, ticket.waitMs, answer);
    try {
      using attempts = this.#attemptsOf(job, answer);
      await attempts.begin((queue, first) => queue.add(first, ticket.priority));
      await ticket.queued(job.epoch);
      queueTimeout.begin();
      const leave = () => {
        answer.abandon();
        attempts.end('the client closed its connection');
      };
      if (context.gone.aborted) leave();
      else context.gone.addEventListener('abort', leave, { once: true });
      target.accepted(answer);
      const state = await answer.over;
      context.gone.removeEventListener('abort', leave);
      if (state === 'failed') attempts.end('the request failed');
    } catch (error) {
      answer.abandon();
      await ticket.release();
      throw error;
    }
    await ticket.settle(OUTCOMES[answer.state], answer.usage);
    return answer;
  }

  #attemptsOf(job: GenerateJob, answer: Answer): AttemptSeries {
    return new AttemptSeries(job, answer, {
      relay: this.#relay,
      queue: this.#queues.of(job.model),
      isServed: () => this.#catalogue.served().some(({ card }) => card.model === job.model),
      ...this.#failover,
    });
  }
}
