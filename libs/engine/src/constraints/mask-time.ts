import type { RunnerDescription } from '#contracts';
import type { Seating } from '../seats/seating.ts';
import type { TenantShare } from '../seats/tenant-share.ts';
import type { Sequence } from '../sequences/sequence.ts';

/** What a step's masks may take of its run's time, and what they get of a quick one's. */
const SHARE_OF_RUN = 0.5;
const LEAST_MS = 1;

const NOBODY: ReadonlySet<Sequence> = new Set();

/**
 * How long the rows of a decode run wait for masks that have to be made first. With tenants beside each other a step is at
 * most half as long again as its run, each tenant has an equal part of that time, and a row whose mask is not whole by then stands still: it
 * chooses nothing, and the next run computes its last token once more. Nobody else's tokens wait for a schema then, whatever
 * it is. A tenant that is alone in the engine has the time that it needs, since standing still costs it runs; so have
 * all where slots have states (`stateBytes`), which do not go back to compute a token again.
 */
export class MaskTime {
  readonly #seating: Seating;
  readonly #mayStand: boolean;
  #turn = 0;

  constructor(seating: Seating, { stateBytes }: RunnerDescription) {
    this.#seating = seating;
    this.#mayStand = stateBytes === 0;
  }

  /** Whether rows may stand still: tenants share the engine, and its slots go back to compute a token again. */
  get isShort(): boolean {
    return this.#mayStand && this.#seating.shares.activeTenants >= 2;
  }

  /**
   * Works on the masks of those that choose a token after a run.
   * @returns those that can not yet
   */
  standing(rows: readonly Sequence[], runMs: number): ReadonlySet<Sequence> {
    if (!this.isShort) return NOBODY;
    let waiting: Map<TenantShare, Sequence[]> | null = null;
    // Each row has its turn to be looked at first.
    this.#turn = (this.#turn + 1) % rows.length;
    for (let index = 0; index < rows.length; index++) {
      const row = rows[(this.#turn + index) % rows.length];
      if (row.constraint === null || row.catchesUpAfter(1) || isReady(row, 0)) continue;
      waiting ??= new Map();
      const share = this.#seating.shareOf(row);
      const own = waiting.get(share);
      if (own === undefined) waiting.set(share, [row]);
      else own.push(row);
    }
    return waiting === null ? NOBODY : this.#work(waiting, Math.max(LEAST_MS, SHARE_OF_RUN * runMs));
  }

  /** What one tenant leaves over is the others'. */
  #work(waiting: ReadonlyMap<TenantShare, readonly Sequence[]>, budgetMs: number): ReadonlySet<Sequence> {
    const endMs = performance.now() + budgetMs;
    const standing = new Set<Sequence>();
    let tenants = waiting.size;
    for (const rows of waiting.values()) {
      const nowMs = performance.now();
      const untilMs = nowMs + (endMs - nowMs) / tenants;
      tenants -= 1;
      for (const row of rows) {
        if (performance.now() >= untilMs || !isReady(row, untilMs)) standing.add(row);
      }
    }
    return standing;
  }
}

/** What a constraint throws, it throws again when it is asked for its mask, and the request is told. */
function isReady({ constraint }: Sequence, untilMs: number): boolean {
  try {
    return constraint?.prepare(untilMs) ?? true;
  } catch {
    return true;
  }
}
