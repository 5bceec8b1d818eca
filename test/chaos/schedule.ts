import { setTimeout as sleep } from 'node:timers/promises';
import { FAULTS, type FaultScene, replaceEnded } from './faults.ts';
import { seededRandom } from './seeded-random.ts';

export interface PlannedFault {
  readonly kind: string;
  /** Time of quiet before it. */
  readonly pauseMs: number;
  /** How long it lasts. */
  readonly holdMs: number;
  /** Seed of what it picks. */
  readonly seed: number;
}

const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 800;
const SHORTEST_HOLD_MS = 300;

/** All faults of a run, as its seed has it: each kind once before any comes again. */
export function planFaults(seed: number, longestHoldMs: number): Generator<PlannedFault, never> {
  const random = seededRandom(seed);
  const between = (least: number, most: number) => Math.round(least + random() * (most - least));
  return (function* () {
    for (;;) {
      for (const kind of shuffled(Object.keys(FAULTS), random)) {
        yield {
          kind,
          pauseMs: between(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS),
          holdMs: between(SHORTEST_HOLD_MS, longestHoldMs),
          seed: between(0, 2 ** 31),
        };
      }
    }
  })();
}

/** Does the planned faults one after another until the time is over. @returns how often each kind was done */
export async function injectFaults(
  plan: Generator<PlannedFault, never>,
  scene: Omit<FaultScene, 'random'>,
  isOver: (done: Readonly<Record<string, number>>) => boolean,
  report: (line: string) => void,
): Promise<Record<string, number>> {
  const done: Record<string, number> = {};
  const beganMs = performance.now();
  while (!isOver(done)) {
    // Not `for … of`, which would end the plan with the loop.
    const { kind, pauseMs, holdMs, seed } = plan.next().value;
    await sleep(pauseMs);
    report(`${((performance.now() - beganMs) / 1_000).toFixed(1)} s: ${kind}, for ${holdMs} ms`);
    await replaceEnded(scene.cluster);
    const fault = FAULTS[kind];
    const end = await fault?.({ ...scene, random: seededRandom(seed) });
    await sleep(holdMs);
    await end?.();
    done[kind] = (done[kind] ?? 0) + 1;
  }
  return done;
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
