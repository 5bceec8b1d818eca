import type { GenerateJob } from '#contracts';
import { PromptHash } from './prompt-hash.ts';

/** Tokens of a block: what of a prompt is remembered is so long at least. */
const BLOCK_TOKENS = 64;
/** Blocks of one generation; two are kept, in some megabytes. */
const GENERATION_BLOCKS = 65_536;
/** Workers that are told apart; more of them share bits, and are taken for each other now and then. */
const WORKER_BITS = 30;
/** Each start of a worker is another one. Past so many of them all is forgotten. */
const MOST_WORKERS = 1_000;

export type RememberedJob = Pick<GenerateJob, 'model' | 'tenantId' | 'cacheSalt' | 'promptTokenIds'>;

/**
 * Which workers have computed a prompt's beginning lately, as far as this replica has seen or was told: where their prefix caches are likely to
 * have it. Beginnings are told apart by hashes of 53 bits, block by block, and by what keeps requests from sharing them (model, tenant and salt);
 * a wrong guess costs a prompt that is computed. Bounded: what was used longest ago is forgotten, a generation at a time.
 */
export class PromptMemory {
  /** Hash of a prompt up to a block's end → bits of the workers that have it. */
  #recent = new Map<number, number>();
  #older = new Map<number, number>();
  readonly #bits = new Map<string, number>();

  /** The worker computes this prompt now. @returns of its blocks, by their hashes, those of which that was not known */
  remember(job: RememberedJob, workerId: string): number[] {
    return this.rememberBlocks(blockHashes(job), workerId);
  }

  /** The same of blocks by their hashes, as `remember` returned them on some replica. */
  rememberBlocks(blocks: Iterable<number>, workerId: string): number[] {
    const bit = this.#bitOf(workerId);
    const unknown: number[] = [];
    for (const hash of blocks) {
      const workers = this.#workersOf(hash);
      if ((workers & bit) === 0) unknown.push(hash);
      this.#recent.set(hash, workers | bit);
    }
    if (this.#recent.size > GENERATION_BLOCKS) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    return unknown;
  }

  /** @returns for each of the workers, how many of the prompt's first tokens it has computed */
  knownTokens(job: RememberedJob, workerIds: readonly string[]): number[] {
    const known = workerIds.map(() => 0);
    const bits = workerIds.map((workerId) => this.#bits.get(workerId) ?? 0);
    let alive = bits.reduce((all, bit) => all | bit, 0);
    let tokens = 0;
    for (const hash of blockHashes(job)) {
      alive &= this.#workersOf(hash);
      if (alive === 0) break;
      tokens += BLOCK_TOKENS;
      for (const [index, bit] of bits.entries()) if ((alive & bit) !== 0) known[index] = tokens;
    }
    return known;
  }

  /**
   * An order of the workers by the prompt's first block, the same on every replica: whoever has not seen a prompt like this begins with
   * the same worker (rendezvous hashing). @returns a rank for each, the lowest first; null for a prompt that is shorter
   */
  ranks(job: RememberedJob, workerIds: readonly string[]): number[] | null {
    for (const beginning of blockHashes(job)) {
      return workerIds.map((workerId) => {
        const rank = new PromptHash(beginning);
        rank.text(workerId);
        return rank.value;
      });
    }
    return null;
  }

  #workersOf(hash: number): number {
    return this.#recent.get(hash) ?? this.#older.get(hash) ?? 0;
  }

  #bitOf(workerId: string): number {
    let bit = this.#bits.get(workerId);
    if (bit === undefined) {
      if (this.#bits.size === MOST_WORKERS) this.#forgetAll();
      bit = 2 ** (this.#bits.size % WORKER_BITS);
      this.#bits.set(workerId, bit);
    }
    return bit;
  }

  #forgetAll(): void {
    this.#bits.clear();
    this.#recent = new Map();
    this.#older = new Map();
  }
}

/** One hash for each whole block, of all that comes before its end. */
function* blockHashes({ model, tenantId, cacheSalt, promptTokenIds }: RememberedJob): Iterable<number> {
  const hash = new PromptHash(0);
  for (const part of [model, tenantId, cacheSalt ?? '']) hash.text(part);
  const wholeBlocks = promptTokenIds.length - (promptTokenIds.length % BLOCK_TOKENS);
  for (let index = 0; index < wholeBlocks; index += 1) {
    hash.number(promptTokenIds[index] ?? 0);
    if ((index + 1) % BLOCK_TOKENS === 0) yield hash.value;
  }
}
