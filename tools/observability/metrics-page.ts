import { collectDefaultMetrics, Registry } from 'prom-client';
import { METRICS, type MetricDefinition, type MetricProcess } from '#observability';

const TITLES: readonly (readonly [MetricProcess, string])[] = [
  ['both', 'On both'],
  ['api', 'API replicas'],
  ['worker', 'Workers'],
];

/** The whole of docs/operations/metrics.md. */
export async function metricsPage(): Promise<string> {
  const all: readonly MetricDefinition[] = Object.values(METRICS);
  const sections = TITLES.map(([process, title]) => {
    const rows = all.filter((metric) => metric.process === process).map(rowOf);
    return `## ${title}\n| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `${HEAD}\n${sections.join('\n')}\n${await runtimeSection()}`;
}

const HEAD = `# Metrics

<!-- Made from libs/observability/src/metrics/metric-names.ts by tools/observability/write-metrics-page.ts; do not edit. -->

\`GET /metrics\` on the management port of the API (\`MILLRACE_MANAGEMENT_PORT\`) and of each worker (\`MILLRACE_WORKER_PORT\`), in
Prometheus' text format. Where vLLM has the same thing, the name behind \`millrace:\` and the labels are vLLM's. Times are in seconds, sizes in
bytes. A histogram \`x\` is scraped as \`x_bucket\`, \`x_sum\` and \`x_count\`.
`;

function rowOf({ name, type, labels, help }: MetricDefinition): string {
  const names = labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${type} | ${names || '–'} | ${help} |`;
}

async function runtimeSection(): Promise<string> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = registry.getMetricsAsArray();
  const rows = metrics.map(({ name, help }) => `| \`${name}\` | ${help} |`);
  registry.clear();
  return `## The process, on both\n| metric | meaning |\n|---|---|\n${rows.join('\n')}\n`;
}
