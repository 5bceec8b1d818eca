/** One alert: it fires when `signal` stands on the wrong side of a threshold for some time. */
export interface Alert {
  readonly name: string;
  /** A query that has a value also while all is well. */
  readonly signal: string;
  /** As `> 30`. */
  readonly condition: string;
  readonly for: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
}

/** Every alert has its page docs/operations/runbooks/<name>.md. */
export const ALERTS: readonly Alert[] = [
  {
    name: 'MillraceTargetDown',
    signal: 'min by (job, instance) (up{job=~"millrace-.*"})',
    condition: '== 0',
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.job }} {{ $labels.instance }} does not answer Prometheus.',
  },
  {
    name: 'MillraceNoWorkers',
    signal: 'max by (model_name) (millrace:workers_ready)',
    condition: '== 0',
    for: '1m',
    severity: 'critical',
    summary: 'No worker serves {{ $labels.model_name }}: its requests are refused with 503.',
  },
  {
    name: 'MillraceNotConsuming',
    signal: 'min by (instance, model_name) (millrace:consuming)',
    condition: '== 0',
    for: '2m',
    severity: 'critical',
    summary: 'Worker {{ $labels.instance }} gets no jobs for {{ $labels.model_name }}.',
  },
  {
    name: 'MillraceQueueOld',
    signal: 'max by (model_name) (millrace:queue_oldest_age_seconds)',
    condition: '> 30',
    for: '2m',
    severity: 'warning',
    summary: 'A request for {{ $labels.model_name }} has been waiting for {{ $value | humanizeDuration }}.',
  },
  {
    name: 'MillraceSlowFirstToken',
    signal:
      'histogram_quantile(0.95, sum by (model_name, le) (rate(millrace:time_to_first_token_seconds_bucket[10m])))',
    condition: '> 10',
    for: '10m',
    severity: 'warning',
    summary:
      'One request of {{ $labels.model_name }} in twenty waits {{ $value | humanizeDuration }} for its first token.',
  },
  {
    name: 'MillraceRefusing',
    signal:
      '1 - sum(rate(millrace:admissions_total{outcome="admitted"}[5m])) / sum(rate(millrace:admissions_total{outcome=~"admitted|queue_full|queue_timeout|overloaded|no_workers|unavailable"}[5m]))',
    condition: '> 0.1',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of the requests are refused for want of capacity.',
  },
  {
    name: 'MillraceFailing',
    signal:
      'sum by (model_name) (rate(millrace:request_success_total{finished_reason="error"}[5m])) / sum by (model_name) (rate(millrace:request_success_total[5m]))',
    condition: '> 0.01',
    for: '5m',
    severity: 'critical',
    summary: '{{ $value | humanizePercentage }} of the requests for {{ $labels.model_name }} fail.',
  },
  {
    name: 'MillraceFailoverStorm',
    signal: 'sum by (model_name) (rate(millrace:failovers_total[5m])) * 60',
    condition: '> 10',
    for: '2m',
    severity: 'warning',
    summary: '{{ $value | humanize }} attempts a minute of {{ $labels.model_name }} are lost.',
  },
  {
    name: 'MillracePoisonRequest',
    signal: 'sum by (model_name) (increase(millrace:request_failures_total{code="attempts_exhausted"}[15m]))',
    condition: '> 0',
    for: '0m',
    severity: 'warning',
    summary: 'A request for {{ $labels.model_name }} was given up: it may be what ends its workers.',
  },
  {
    name: 'MillraceEngineReplaced',
    signal: 'sum by (instance, model_name) (increase(millrace:engines_replaced_total[15m]))',
    condition: '> 1',
    for: '0m',
    severity: 'warning',
    summary: 'The engine of {{ $labels.instance }} crashes or hangs again and again.',
  },
  {
    name: 'MillraceLocksLost',
    signal: 'sum by (instance) (increase(millrace:job_locks_lost_total[15m]))',
    condition: '> 0',
    for: '0m',
    severity: 'warning',
    summary: 'Worker {{ $labels.instance }} could not renew locks of its jobs.',
  },
  {
    name: 'MillraceRedisDown',
    signal: 'min by (job, instance) (millrace:redis_up)',
    condition: '== 0',
    for: '30s',
    severity: 'critical',
    summary: 'Redis does not answer {{ $labels.instance }}: new requests are refused with 503.',
  },
  {
    name: 'MillraceRedisMemory',
    signal: 'max(millrace:redis_memory_used_bytes) / max(millrace:redis_memory_limit_bytes)',
    condition: '> 0.8',
    for: '5m',
    severity: 'critical',
    summary: 'Redis has filled {{ $value | humanizePercentage }} of its memory; full, it refuses everything.',
  },
  {
    name: 'MillraceSettlementsPending',
    signal: 'max by (instance) (millrace:settlements_pending)',
    condition: '> 100',
    for: '2m',
    severity: 'warning',
    summary: '{{ $value }} settlements wait on {{ $labels.instance }}; they are lost when it dies.',
  },
  {
    name: 'MillraceLedgerLag',
    signal: 'max by (group) (millrace:ledger_lag_entries)',
    condition: '> 5000',
    for: '10m',
    severity: 'warning',
    summary: 'The export {{ $labels.group }} is {{ $value }} entries behind; a ledger keeps about 10,000 per tenant.',
  },
  {
    name: 'MillraceEventLoopBlocked',
    signal: 'max by (job, instance) (nodejs_eventloop_lag_p99_seconds{job=~"millrace-.*"})',
    condition: '> 0.5',
    for: '5m',
    severity: 'warning',
    summary: 'The main thread of {{ $labels.instance }} is held up for {{ $value | humanizeDuration }}.',
  },
];

/** The rule as Prometheus reads it. */
export function ruleOf(alert: Alert) {
  return {
    alert: alert.name,
    expr: `${expressionOf(alert)}`,
    for: alert.for,
    labels: { severity: alert.severity },
    annotations: {
      summary: alert.summary,
      runbook: `docs/operations/runbooks/${alert.name}.md`,
    },
  };
}

function expressionOf({ signal, condition }: Alert): string {
  return `(${signal}) ${condition}`;
}
