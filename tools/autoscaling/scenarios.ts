import type { ScalerSettings } from './scaler/scaler-settings.ts';
import { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
import { arrivals } from './traffic/arrivals.ts';
import { recordedTrace } from './traffic/recorded-trace.ts';
import type { WorkerSpeed } from './workers/worker-speed.ts';

const DAY_MS = 86_400_000;

/** A worker, and which share of the recorded requests comes to a cluster of such ones: what 16 of them can do at most. */
export interface Fleet {
  readonly speed: WorkerSpeed;
  readonly shares: { readonly conversation: number; readonly code: number; readonly day: number };
}

/** Assumed, in round numbers: two kinds of workers that differ in what they are short of. */
export const FLEETS = {
  /** Prompts cost much: 2,500 tokens/s of prefill, 655 tokens/s of decode at 32 sequences, 48 for one alone. */
  slow: {
    speed: { slots: 32, prefillTokensPerS: 2_500, prefillChunkTokens: 512, stepMs: 20, stepMsPerSequence: 0.9 },
    shares: { conversation: 0.9, code: 0.6, day: 0.9 },
  },
  /** Prompts cost little: 10,000 tokens/s of prefill, 1,600 tokens/s of decode at 32 sequences, 82 for one alone. */
  fast: {
    speed: { slots: 32, prefillTokensPerS: 10_000, prefillChunkTokens: 512, stepMs: 12, stepMsPerSequence: 0.25 },
    shares: { conversation: 3, code: 2, day: 3 },
  },
} as const satisfies Record<string, Fleet>;

export const TRAFFIC = {
  /** Chats: steady, 12 times 17 minutes. */
  conversation: { trace: 'conversation', runs: 12, initialReplicas: 6, shareAt: () => 1 },
  /** Programmers' tools: bursts of ten requests a second after minutes without any; 6 times 27 minutes, from one worker. */
  code: { trace: 'code', runs: 6, initialReplicas: 1, shareAt: () => 1 },
  /** The chats under the curve of a day, from a tenth at night to twice as many at noon. */
  day: {
    trace: 'conversation',
    runs: 84,
    initialReplicas: 1,
    shareAt: (atMs: number) => 0.1 + 1.9 * Math.sin((Math.PI * atMs) / DAY_MS) ** 2,
  },
} as const;
export type Traffic = keyof typeof TRAFFIC;

export interface Scenario {
  readonly traffic: Traffic;
  readonly fleet: Fleet;
  readonly startDelayMs: number;
  readonly scaler: ScalerSettings;
  /** As often as the traffic says when unset. */
  readonly runs?: number;
}

/** Grace time and scrape interval are those of k8s/. */
export const CLUSTER = { graceMs: 60_000, scrapeMs: 15_000 } satisfies Partial<SimulationOptions>;

export function play({ traffic, fleet, startDelayMs, scaler, runs }: Scenario): SimulationResult {
  const { trace: name, initialReplicas, shareAt, runs: usual } = TRAFFIC[traffic];
  const trace = recordedTrace(name);
  const times = runs ?? usual;
  return simulate({
    ...CLUSTER,
    arrivals: arrivals(trace, { runs: times, shareAt: (atMs) => fleet.shares[traffic] * shareAt(atMs) }),
    scaler,
    speed: fleet.speed,
    startDelayMs,
    initialReplicas: Math.max(initialReplicas, scaler.minReplicas),
    durationMs: times * trace.durationMs,
  });
}
