import { describe, expect, it } from 'vitest';
import { BoundedLabel, METRICS, Metrics } from '#observability';

const create = () => new Metrics({ process: 'worker', version: '1.2.3', runtime: false });
const labels = { model_name: 'm' };

describe('Metrics', () => {
  it('shows the release, and counters and gauges with their labels', async () => {
    const metrics = create();
    metrics.family(METRICS.generationTokens).child(labels).inc(3);
    metrics.family(METRICS.generationTokens).child(labels).inc();
    const text = await metrics.text();
    expect(text).toContain('# TYPE millrace:generation_tokens_total counter');
    expect(text).toContain('millrace:generation_tokens_total{model_name="m"} 4');
    expect(text).toContain('version="1.2.3"');
  });

  it('counts a value into every bucket whose bound is not below it', async () => {
    const metrics = create();
    const child = metrics.family(METRICS.engineCancelLatency).child(labels);
    child.observe(0.001);
    child.observe(0.0011, 2);
    child.observe(100);
    const text = await metrics.text();
    const name = 'millrace:engine_cancel_latency_seconds';
    expect(text).toContain(`${name}_bucket{model_name="m",le="0.0005"} 0`);
    expect(text).toContain(`${name}_bucket{model_name="m",le="0.001"} 1`);
    expect(text).toContain(`${name}_bucket{model_name="m",le="0.002"} 3`);
    expect(text).toContain(`${name}_bucket{model_name="m",le="5"} 3`);
    expect(text).toContain(`${name}_bucket{model_name="m",le="+Inf"} 4`);
    expect(text).toContain(`${name}_count{model_name="m"} 4`);
    expect(text).toMatch(new RegExp(`${name}_sum\\{model_name="m"\\} 100\\.003`));
  });

  it('reads values that are kept elsewhere when it is scraped', async () => {
    const metrics = create();
    let running = 1;
    metrics.read(METRICS.numRequestsRunning, () => [{ labels, value: running }]);
    expect(await metrics.text()).toContain('millrace:num_requests_running{model_name="m"} 1');
    running = 5;
    expect(await metrics.text()).toContain('millrace:num_requests_running{model_name="m"} 5');
  });

  it('goes on without a source that fails or does not answer, and says so', async () => {
    const metrics = create();
    metrics.beforeScrape('fails', () => Promise.reject(new Error('away')));
    metrics.beforeScrape('hangs', () => new Promise(() => {}));
    const text = await metrics.text();
    expect(text).toContain('millrace:metrics_collect_errors_total{collector="fails"} 1');
    expect(text).toContain('millrace:metrics_collect_errors_total{collector="hangs"} 1');
  });

  it('escapes what a label value may hold', async () => {
    const metrics = create();
    metrics.family(METRICS.consuming).child({ model_name: 'a"b\\c\nd' }).set(1);
    expect(await metrics.text()).toContain('model_name="a\\"b\\\\c\\nd"} 1');
  });
});

describe('BoundedLabel', () => {
  it('keeps the names that came first and calls the rest other', () => {
    const tenant = new BoundedLabel(2);
    expect(['a', 'b', 'c', 'a', 'd'].map((name) => tenant.valueOf(name))).toEqual(['a', 'b', 'other', 'a', 'other']);
  });
});
