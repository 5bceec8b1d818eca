import { type Behaviour, behaviourOf } from '../behaviour.ts';
import type { ScalerSettings } from '../scaler/scaler-settings.ts';
import { FLEETS, play, type Traffic } from '../scenarios.ts';

const START_DELAYS_S = [20, 60, 180] as const;
const HEAD = 'workers: mean, fewest–most | turns/h | missed/h | first token p50 | p95 | p99 | longest |';
const RULE = '---:|---:|---:|---:|---:|---:|---:|';

/** The settings of the manifests, with both fleets and different delays until a pod is ready. */
export function chosenTable(scaler: ScalerSettings): string {
  const rows: string[] = [];
  for (const [fleetName, fleet] of Object.entries(FLEETS)) {
    for (const traffic of ['conversation', 'code'] as const) {
      for (const startDelayS of START_DELAYS_S) {
        const behaviour = behaviourOf(play({ traffic, fleet, scaler, startDelayMs: startDelayS * 1_000 }));
        rows.push(`| ${fleetName} | ${traffic} | ${startDelayS} s | ${cells(behaviour)}`);
      }
    }
  }
  return [`| fleet | traffic | pod ready after | ${HEAD}`, `|---|---|---:|${RULE}`, ...rows].join('\n');
}

/** The same traffic with other settings; the slow fleet, a minute until a pod is ready. */
export function alternativesTable(scaler: ScalerSettings): string {
  const rows = alternatives(scaler).flatMap(([name, settings]) =>
    (['conversation', 'code'] satisfies Traffic[]).map((traffic) => {
      const behaviour = behaviourOf(play({ traffic, fleet: FLEETS.slow, scaler: settings, startDelayMs: 60_000 }));
      return `| ${name} | ${traffic} | ${cells(behaviour)}`;
    }),
  );
  return [`| settings | traffic | ${HEAD}`, `|---|---|${RULE}`, ...rows].join('\n');
}

function alternatives(scaler: ScalerSettings): [name: string, settings: ScalerSettings][] {
  const down = (stabilizationS: number, periodS: number): ScalerSettings => ({
    ...scaler,
    scaleDown: {
      ...scaler.scaleDown,
      stabilizationMs: stabilizationS * 1_000,
      policies: [{ type: 'Pods', value: 1, periodMs: periodS * 1_000 }],
    },
  });
  const up = (pods: number): ScalerSettings => ({
    ...scaler,
    scaleUp: { ...scaler.scaleUp, policies: [{ type: 'Pods', value: pods, periodMs: 60_000 }] },
  });
  return [
    ['**as in k8s/**', scaler],
    ['fewer at once: no window, one pod every 15 s', down(0, 15)],
    ["window of 5 minutes (Kubernetes' default), one pod a minute", down(300, 60)],
    ['window of 10 minutes, one pod every 2', down(600, 120)],
    ['threshold 8', { ...scaler, threshold: 8 }],
    ['threshold 24', { ...scaler, threshold: 24 }],
    ['threshold 32, all slots', { ...scaler, threshold: 32 }],
    ['only waiting requests count', { ...scaler, gauges: ['millrace:num_requests_waiting'] }],
    ['one more a minute at most', up(1)],
    ['a minute of agreement before more', { ...scaler, scaleUp: { ...scaler.scaleUp, stabilizationMs: 60_000 } }],
  ];
}

function cells(behaviour: Behaviour): string {
  const { meanWorkers, fewestWorkers, mostWorkers, turnsPerHour, missedPerHour, firstTokenMs } = behaviour;
  const { p50, p95, p99, most } = firstTokenMs;
  const workers = `${meanWorkers.toFixed(1)}, ${fewestWorkers}–${mostWorkers}`;
  const times = [p50, p95, p99, most].map((ms) => `${(ms / 1_000).toFixed(1)} s`);
  return `${[workers, turnsPerHour.toFixed(1), missedPerHour.toFixed(1), ...times].join(' | ')} |`;
}
