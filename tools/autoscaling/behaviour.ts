import type { SimulationResult } from './simulation.ts';

const HOUR_MS = 3_600_000;
/** A worker that is missed so soon should not have been stopped. */
const MISSED_WITHIN_MS = 600_000;

/** What a run of the simulation says about the autoscaler. */
export interface Behaviour {
  readonly requests: number;
  readonly meanWorkers: number;
  readonly mostWorkers: number;
  readonly fewestWorkers: number;
  /** Changes of direction in an hour: from more to fewer, or back. */
  readonly turnsPerHour: number;
  /** How often in an hour a worker was started within ten minutes after one was stopped. */
  readonly missedPerHour: number;
  /** Shortest time that a number of workers lasted before fewer were wanted; infinite when they never were. */
  readonly shortestUseMs: number;
  /** From arrival to the first token. */
  readonly firstTokenMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly most: number };
  readonly handedOver: number;
}

export function behaviourOf({ requests, samples, handedOver }: SimulationResult): Behaviour {
  const endMs = samples.at(-1)?.atMs ?? 0;
  const hours = endMs / HOUR_MS;
  const replicas = samples.map((sample) => sample.replicas);
  let [turns, missed, direction, shortestUseMs] = [0, 0, 0, Number.POSITIVE_INFINITY];
  let [upMs, downMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [index, { atMs, replicas: count }] of samples.entries()) {
    const change = Math.sign(count - (replicas[index - 1] ?? count));
    if (change === 0) continue;
    if (direction !== 0 && change !== direction) turns += 1;
    if (change > 0 && atMs - downMs < MISSED_WITHIN_MS) missed += 1;
    if (change < 0) shortestUseMs = Math.min(shortestUseMs, atMs - upMs);
    direction = change;
    if (change > 0) upMs = atMs;
    else downMs = atMs;
  }
  const waits = requests.map((each) => (each.firstTokenMs ?? endMs) - each.arrivedMs).sort((a, b) => a - b);
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
  return {
    requests: requests.length,
    meanWorkers: replicas.reduce((sum, count) => sum + count, 0) / replicas.length,
    mostWorkers: Math.max(...replicas),
    fewestWorkers: Math.min(...replicas),
    turnsPerHour: turns / hours,
    missedPerHour: missed / hours,
    shortestUseMs,
    firstTokenMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1) },
    handedOver,
  };
}
