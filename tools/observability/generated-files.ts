import { stringify } from 'yaml';
import { ALERTS, ruleOf } from './alerts.ts';
import { DASHBOARDS } from './dashboards.ts';
import { grafanaJson } from './grafana-json.ts';

const HEAD = '# Made by tools/observability/write-dashboards.ts from alerts.ts; do not edit.\n';

/** Dashboards and rules by path, as Grafana, Prometheus and the Prometheus operator take them. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const groups = [{ name: 'millrace', rules: ALERTS.map(ruleOf) }];
  const custom = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'millrace' },
    spec: { groups },
  };
  return new Map([
    ...DASHBOARDS.map(
      (dashboard) => [`observability/dashboards/${dashboard.id}.json`, grafanaJson(dashboard)] as const,
    ),
    ['observability/rules/millrace.yaml', HEAD + stringify({ groups }, { lineWidth: 0 })] as const,
    ['k8s/components/monitoring/rules.yaml', HEAD + stringify(custom, { lineWidth: 0 })] as const,
  ]);
}
