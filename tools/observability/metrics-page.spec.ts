import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METRICS, type MetricDefinition } from '#observability';
import { metricsPage } from './metrics-page.ts';

const metrics: readonly MetricDefinition[] = Object.values(METRICS);

describe('docs/operations/metrics.md', () => {
  it('is what the metric definitions say (else run tools/observability/write-metrics-page.ts)', async () => {
    const page = readFileSync(new URL('../../docs/operations/metrics.md', import.meta.url), 'utf8');
    expect(page).toBe(await metricsPage());
  });
});

describe('the metric definitions', () => {
  it('have names that Prometheus takes, each once, with a unit where they measure', () => {
    const names = metrics.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, type, labels } of metrics) {
      expect(name).toMatch(/^millrace:[a-z][a-z0-9_]*$/);
      if (type === 'counter') expect(name).toMatch(/_total$/);
      for (const label of labels) expect(label).toMatch(/^[a-z_]+$/);
    }
  });

  it('have buckets in rising order where they are histograms, and a sentence of help', () => {
    for (const { type, buckets, help } of metrics) {
      expect(buckets.length > 0).toBe(type === 'histogram');
      expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
    }
  });
});
