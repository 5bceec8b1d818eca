import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { podLifecycle } from '../deploy/lifecycle/pod-lifecycle.ts';
import { behaviourOf } from './behaviour.ts';
import { scalerSettings } from './scaler/scaler-settings.ts';
import { CLUSTER, FLEETS, play } from './scenarios.ts';
import { type SimulationOptions, SYNC_MS, simulate } from './simulation.ts';

const scaler = scalerSettings();
const fleets = Object.entries(FLEETS);
const page = readFileSync(new URL('../../docs/operations/autoscaling.md', import.meta.url), 'utf8');
/** Two readings, and what the limit of rate holds back. */
const REACTION_MS = 45_000;

describe.each(fleets)('on recorded traffic the settings of k8s/ have the %s fleet', (_name, fleet) => {
  it('stay within two workers of the mean while the load is steady, each of use for twenty minutes', () => {
    const behaviour = behaviourOf(play({ traffic: 'conversation', fleet, scaler, startDelayMs: 60_000, runs: 6 }));
    // It begins with six, which are too few for the fast fleet.
    expect(behaviour.mostWorkers - behaviour.meanWorkers).toBeLessThan(2);
    expect(behaviour.shortestUseMs).toBeGreaterThanOrEqual(20 * 60_000);
    expect(behaviour.missedPerHour).toBeLessThan(2);
    expect(behaviour.turnsPerHour).toBeLessThan(4);
    expect(behaviour.firstTokenMs.p99).toBeLessThan(4_000);
  });

  it.each([20, 180])(
    'have no request of a burst wait longer than a pod takes to start (%d s) and to be asked for',
    (startS) => {
      const behaviour = behaviourOf(play({ traffic: 'code', fleet, scaler, startDelayMs: startS * 1_000 }));
      expect(behaviour.firstTokenMs.most).toBeLessThan(startS * 1_000 + REACTION_MS);
      expect(behaviour.missedPerHour).toBeLessThan(2);
      expect(behaviour.handedOver).toBe(0);
    },
  );
});

it('what docs/operations/autoscaling.md says of the slow fleet in bursts is what comes out (page/write-page.ts writes it)', () => {
  const behaviour = behaviourOf(play({ traffic: 'code', fleet: FLEETS.slow, scaler, startDelayMs: 60_000 }));
  const row = new RegExp(
    `slow \\| code \\| 60 s \\| ${behaviour.meanWorkers.toFixed(1)}, .* ${(behaviour.firstTokenMs.most / 1_000).toFixed(1)} s \\|`,
  );
  expect(page).toMatch(row);
  for (const value of [scaler.threshold, scaler.scaleDown.stabilizationMs / 60_000, scaler.minReplicas])
    expect(page).toMatch(new RegExp(`\\| .*\\b${value}\\b`));
});

it('the simulated cluster has the grace time of the manifests', () => {
  expect(CLUSTER.graceMs).toBe(podLifecycle('worker').graceMs);
});

describe('the simulation', () => {
  const fleet = FLEETS.slow;
  const cluster: SimulationOptions = {
    ...CLUSTER,
    arrivals: [],
    initialReplicas: 1,
    scaler,
    speed: fleet.speed,
    startDelayMs: 60_000,
    durationMs: 3_600_000,
  };
  const every = (periodMs: number, untilMs: number) =>
    Array.from({ length: untilMs / periodMs }, (_, index) => ({
      atMs: index * periodMs,
      contextTokens: 500,
      generatedTokens: 100,
    }));

  it('answers every request, one by one as fast as the engine can', () => {
    const { requests } = simulate({ ...cluster, arrivals: every(30_000, 3_000_000), initialReplicas: 1 });
    for (const { arrivedMs, firstTokenMs, endedMs } of requests) {
      expect(firstTokenMs! - arrivedMs).toBeCloseTo((500 / 2_500) * 1_000, 3);
      expect(endedMs! - firstTokenMs!).toBeCloseTo(99 * 20.9, 3);
    }
  });

  it('hands over what a stopped worker can not finish, and delivers no token of it twice', () => {
    const arrivals = every(1_000, 60_000).map((each) => ({ ...each, generatedTokens: 2_000 }));
    const result = simulate({
      ...cluster,
      arrivals,
      initialReplicas: 16,
      graceMs: 1_000,
      scaler: { ...scaler, scaleDown: { ...scaler.scaleDown, stabilizationMs: 0 } },
    });
    expect(result.handedOver).toBeGreaterThan(0);
    for (const { endedMs, deliveredTokens } of result.requests) {
      expect(endedMs).not.toBeNull();
      expect(deliveredTokens).toBeLessThan(2_000);
    }
  });

  it('goes to no worker after the cooldown, and back to one with the first request, where none is allowed', () => {
    const arrivals = [...every(1_000, 60_000), { atMs: 2_400_000, contextTokens: 10, generatedTokens: 10 }];
    const result = simulate({ ...cluster, arrivals, initialReplicas: 1, scaler: { ...scaler, minReplicas: 0 } });
    const at = (atMs: number) => result.samples.filter((sample) => sample.atMs < atMs).at(-1)?.replicas;
    expect(at(60_000 + scaler.cooldownMs - SYNC_MS)).toBe(1);
    expect(at(60_000 + scaler.cooldownMs + 4 * SYNC_MS)).toBe(0);
    expect(result.requests.at(-1)!.firstTokenMs! - 2_400_000).toBeLessThan(60_000 + 2 * 15_000 + 1_000);
  });

  it('keeps as many workers as there were while Prometheus is away, two at least, and goes on from there', () => {
    const prometheusAway = { fromMs: 600_000, untilMs: 3_000_000 };
    const replicasWhileAway = (initialReplicas: number, arrivals: typeof cluster.arrivals) => {
      const { samples } = simulate({ ...cluster, arrivals, initialReplicas, prometheusAway });
      const within = samples.filter(({ atMs }) => atMs > 600_000 + 5 * SYNC_MS && atMs < 3_000_000);
      return [...new Set(within.map(({ replicas }) => replicas))];
    };
    const busy = { ...cluster, arrivals: every(250, 3_500_000) };
    const { samples } = simulate({ ...busy, initialReplicas: 1, prometheusAway });
    const before = samples.filter(({ atMs }) => atMs < 600_000).at(-1)?.replicas ?? 0;
    expect(before).toBeGreaterThan(2);
    // No requests any more, and nobody sees it.
    expect(replicasWhileAway(1, every(250, 700_000))).toEqual([before]);
    expect(replicasWhileAway(1, [])).toEqual([2]);
    expect(samples.at(-1)?.replicas).toBeGreaterThan(0);
  });
});
