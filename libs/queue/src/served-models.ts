import { JOB_VERSION, type WorkerRecord, type WorkerState } from '#contracts';

/** One model as the cluster serves it. */
export interface ServedModel {
  readonly model: string;
  readonly cardHash: string;
  /** Workers that take jobs for it now. */
  readonly workers: number;
  /** Slots of those workers together. */
  readonly slots: number;
  /** Slots of the one of them that has the fewest; 0 without workers. */
  readonly fewestSlots: number;
  /** The best state of any worker that has it: `ready`, else `loading`, else `draining`; `stopped` without a worker. */
  readonly state: WorkerState;
  /** Newest version of jobs that all its workers read: they share one queue. */
  readonly jobVersion: number;
}

export interface KnownModel {
  readonly cardHash: string;
  readonly seenAtMs: number;
}

const BEST_FIRST: readonly WorkerState[] = ['ready', 'loading', 'draining', 'stopped'];

/**
 * Sums up heartbeats by model. Where workers serve different cards under one name (an upgrade is under way), the card
 * with the most ready workers counts, and of equals the one that came last.
 */
export function servedModels(
  workers: readonly WorkerRecord[],
  known: ReadonlyMap<string, KnownModel> = new Map(),
): ServedModel[] {
  const served = new Map<string, ServedModel>();
  for (const [model, { cardHash }] of known) {
    served.set(model, {
      model,
      cardHash,
      workers: 0,
      slots: 0,
      fewestSlots: 0,
      state: 'stopped',
      jobVersion: JOB_VERSION,
    });
  }
  for (const model of new Set(workers.flatMap((worker) => worker.models.map((entry) => entry.model)))) {
    const offers = offersOf(model, workers);
    const best = offers.reduce((a, b) => (isBetter(b, a) ? b : a));
    const state = BEST_FIRST.find((candidate) => offers.some((offer) => offer.states.has(candidate))) ?? 'stopped';
    const jobVersion = jobVersionOf(model, workers);
    const { cardHash, ready, slots, fewestSlots } = best;
    served.set(model, { model, cardHash, workers: ready, slots, fewestSlots, state, jobVersion });
  }
  return [...served.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
}

function jobVersionOf(model: string, workers: readonly WorkerRecord[]): number {
  const serving = workers.filter(({ models }) => models.some((entry) => entry.model === model));
  return Math.min(JOB_VERSION, ...serving.map(({ jobVersion = 1 }) => jobVersion));
}

/** One card under which a model is offered. */
interface Offer {
  readonly cardHash: string;
  ready: number;
  slots: number;
  fewestSlots: number;
  newestMs: number;
  readonly states: Set<WorkerState>;
}

function offersOf(model: string, workers: readonly WorkerRecord[]): Offer[] {
  const offers = new Map<string, Offer>();
  for (const worker of workers) {
    for (const entry of worker.models) {
      if (entry.model !== model) continue;
      const offer = offers.get(entry.cardHash) ?? {
        cardHash: entry.cardHash,
        ready: 0,
        slots: 0,
        fewestSlots: 0,
        newestMs: 0,
        states: new Set<WorkerState>(),
      };
      offers.set(entry.cardHash, offer);
      offer.states.add(worker.state);
      offer.newestMs = Math.max(offer.newestMs, worker.startedAtMs);
      if (worker.state === 'ready') {
        offer.ready += 1;
        offer.slots += entry.slots;
        offer.fewestSlots = offer.ready === 1 ? entry.slots : Math.min(offer.fewestSlots, entry.slots);
      }
    }
  }
  return [...offers.values()];
}

function isBetter(a: Offer, b: Offer): boolean {
  return a.ready === b.ready ? a.newestMs > b.newestMs : a.ready > b.ready;
}
