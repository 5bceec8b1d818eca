import type { OfferGround } from '#admission';
import type { GenerateJob } from '#contracts';
import { encodeJob } from '#queue';
import type { JobOffer, OfferTaker } from '#relay';
import type { OffersPort } from './offers-port.ts';
import { PromptMemory } from './prompt-memory.ts';

/** A request that runs somewhere keeps another one there waiting as long as so many tokens of its prompt take. */
const RUNNING_TOKENS = 64;
/** Whoever has computed so much of what another has is as good. */
const AS_GOOD = 0.75;

export interface JobOffersParts {
  /** `RelayServer` of libs/relay. */
  readonly relay: {
    offer(
      offer: JobOffer,
      choose: (takers: readonly OfferTaker[]) => OfferTaker,
      declined: () => void,
    ): OfferTaker | null;
    forgetOffer(requestId: string): void;
    takers(model: string): readonly OfferTaker[];
  };
  /** In which version a model's jobs are to be written now. */
  readonly jobVersionOf: (model: string) => number;
  /** Tells other replicas which blocks of prompts a worker computes (`ComputedPrompts` of libs/requests). */
  readonly tell: (workerId: string, blocks: readonly number[]) => void;
}

/**
 * Gives a job that nobody waits before, or that is due a seat, to a worker, without the queue: to the one that would have its first token soonest, because its
 * prefix cache is likely to have most of the prompt, or because least runs there.
 */
export class JobOffers implements OffersPort {
  readonly #parts: JobOffersParts;
  readonly #memory = new PromptMemory();
  #turn = 0;

  constructor(parts: JobOffersParts) {
    this.#parts = parts;
  }

  offer(job: GenerateJob, ground: OfferGround, declined: () => void): boolean {
    const { relay, jobVersionOf } = this.#parts;
    const { requestId, epoch, model, tenantId } = job;
    const text = JSON.stringify(encodeJob(job, jobVersionOf(model)));
    const dueTenant = ground === 'due seat' ? tenantId : null;
    const offer: JobOffer = { requestId, epoch, model, job: text, dueTenant };
    return relay.offer(offer, (takers) => this.#soonest(job, takers), declined) !== null;
  }

  forget({ requestId }: GenerateJob): void {
    this.#parts.relay.forgetOffer(requestId);
  }

  computedAt(job: GenerateJob): readonly string[] {
    const workerIds = this.#parts.relay.takers(job.model).map(({ workerId }) => workerId);
    if (workerIds.length < 2) return [];
    const known = this.#memory.knownTokens(job, workerIds);
    const enough = Math.max(1, AS_GOOD * Math.max(...known));
    const best = workerIds.filter((_, index) => (known[index] ?? 0) >= enough);
    return best.length === workerIds.length ? [] : best;
  }

  granted(job: GenerateJob, workerId: string): void {
    const unknown = this.#memory.remember(job, workerId);
    if (unknown.length > 0) this.#parts.tell(workerId, unknown);
  }

  /** Another replica has had a worker compute these blocks. */
  computed(workerId: string, blocks: readonly number[]): void {
    this.#memory.rememberBlocks(blocks, workerId);
  }

  #soonest(job: GenerateJob, takers: readonly OfferTaker[]): OfferTaker {
    this.#turn += 1;
    const workerIds = takers.map(({ workerId }) => workerId);
    const known = this.#memory.knownTokens(job, workerIds);
    const ranks = this.#memory.ranks(job, workerIds);
    const costs = takers.map((taker, index) => ({
      taker,
      cost: RUNNING_TOKENS * taker.held - (known[index] ?? 0),
      // Of equals, every replica's first; for prompts of which nothing is kept another one each time.
      rank: ranks?.[index] ?? (index + this.#turn) % takers.length,
    }));
    return costs.reduce((best, other) =>
      other.cost < best.cost || (other.cost === best.cost && other.rank < best.rank) ? other : best,
    ).taker;
  }
}
