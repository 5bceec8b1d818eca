import { describe, expect, it } from 'vitest';
import { HorizontalAutoscaler, replicasForMetric } from './horizontal-autoscaler.ts';
import { type ScalerSettings, scalerSettings } from './scaler-settings.ts';

const settings: ScalerSettings = {
  minReplicas: 1,
  maxReplicas: 20,
  threshold: 10,
  gauges: [],
  pollingMs: 15_000,
  cooldownMs: 300_000,
  useCachedMetrics: false,
  fallback: null,
  scaleUp: { stabilizationMs: 0, policies: [{ type: 'Pods', value: 100, periodMs: 15_000 }], selectPolicy: 'Max' },
  scaleDown: { stabilizationMs: 0, policies: [{ type: 'Percent', value: 100, periodMs: 15_000 }], selectPolicy: 'Max' },
};
const seconds = (value: number) => value * 1_000;

describe('the replicas that a metric asks for', () => {
  it.each([
    // metric, replicas → wanted, at 10 for each
    [54.9, 5, 5],
    [55.1, 5, 6],
    [45.1, 5, 5],
    [44.9, 5, 5],
    [40, 5, 4],
    [31, 5, 4],
    [1, 5, 1],
    [0, 5, 0],
  ])('are ceil(metric ÷ target), but for a tenth of the target: %d with %d → %d', (metric, replicas, wanted) => {
    expect(replicasForMetric(metric, 10, replicas)).toBe(wanted);
  });
});

describe('the autoscaler', () => {
  it('stays between the least and the most replicas', () => {
    expect(new HorizontalAutoscaler(settings).decide(0, 0, 3)).toBe(1);
    expect(new HorizontalAutoscaler(settings).decide(0, 900, 3)).toBe(20);
    expect(new HorizontalAutoscaler(settings).decide(0, 30, 25)).toBe(20);
  });

  it('takes the largest recommendation of the window before it scales down, and the least one before it scales up', () => {
    const down = new HorizontalAutoscaler({
      ...settings,
      scaleDown: { ...settings.scaleDown, stabilizationMs: 60_000 },
    });
    expect(down.decide(0, 50, 5)).toBe(5);
    expect(down.decide(seconds(15), 20, 5)).toBe(5);
    expect(down.decide(seconds(30), 30, 5)).toBe(5);
    expect(down.decide(seconds(75), 20, 5)).toBe(3);
    const up = new HorizontalAutoscaler({ ...settings, scaleUp: { ...settings.scaleUp, stabilizationMs: 60_000 } });
    expect(up.decide(0, 50, 5)).toBe(5);
    expect(up.decide(seconds(30), 90, 5)).toBe(5);
    expect(up.decide(seconds(60), 80, 5)).toBe(8);
  });

  it('takes what it finds at its first look for wanted', () => {
    const first = new HorizontalAutoscaler({
      ...settings,
      scaleDown: { ...settings.scaleDown, stabilizationMs: 60_000 },
    });
    expect(first.decide(0, 10, 5)).toBe(5);
    expect(first.decide(seconds(60), 10, 5)).toBe(1);
  });

  it('changes no faster than a policy allows within its period, counted from what there was at the start of it', () => {
    const policies = [{ type: 'Pods', value: 4, periodMs: 60_000 }] as const;
    const up = new HorizontalAutoscaler({ ...settings, scaleUp: { ...settings.scaleUp, policies } });
    expect(up.decide(0, 200, 1)).toBe(5);
    expect(up.decide(seconds(15), 200, 5)).toBe(5);
    expect(up.decide(seconds(60), 200, 5)).toBe(9);
    const down = new HorizontalAutoscaler({ ...settings, scaleDown: { ...settings.scaleDown, policies } });
    expect(down.decide(0, 10, 12)).toBe(8);
    expect(down.decide(seconds(45), 10, 8)).toBe(8);
    expect(down.decide(seconds(60), 10, 8)).toBe(4);
  });

  it('follows the policy that allows the larger change, the smaller one, or none', () => {
    const policies = [
      { type: 'Percent', value: 100, periodMs: 60_000 },
      { type: 'Pods', value: 4, periodMs: 60_000 },
    ] as const;
    const first = (selectPolicy: 'Max' | 'Min' | 'Disabled', replicas: number) =>
      new HorizontalAutoscaler({ ...settings, scaleUp: { ...settings.scaleUp, policies, selectPolicy } }).decide(
        0,
        900,
        replicas,
      );
    expect([first('Max', 2), first('Min', 2), first('Disabled', 2)]).toEqual([6, 4, 2]);
    expect([first('Max', 7), first('Min', 7)]).toEqual([14, 11]);
  });

  it('counts a policy of per cent up for more, and cuts it off for fewer', () => {
    const policies = [{ type: 'Percent', value: 10, periodMs: 60_000 }] as const;
    const tenth = {
      ...settings,
      scaleUp: { ...settings.scaleUp, policies },
      scaleDown: { ...settings.scaleDown, policies },
    };
    expect(new HorizontalAutoscaler(tenth).decide(0, 200, 5)).toBe(6);
    expect(new HorizontalAutoscaler(tenth).decide(0, 10, 15)).toBe(13);
  });
});

it.each(['staging', 'production', 'production-mig'])(
  'the settings of k8s/overlays/%s are read as they stand there',
  (name) => {
    const { gauges, scaleUp, scaleDown, minReplicas, maxReplicas, fallback } = scalerSettings(name);
    expect(fallback).toEqual({ failureThreshold: 3, replicas: 2, behavior: 'currentReplicasIfHigher' });
    expect(gauges).toEqual(['millrace:num_requests_waiting', 'millrace:queue_active_jobs']);
    expect(scaleUp.policies.length).toBeGreaterThan(0);
    expect(scaleDown.stabilizationMs).toBeGreaterThan(0);
    expect(minReplicas).toBeGreaterThan(0);
    expect(maxReplicas).toBeGreaterThan(minReplicas);
  },
);
