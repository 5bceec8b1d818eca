import { MODEL, one, type Panel, quantiles, rate, stat } from './panels.ts';

export interface Dashboard {
  /** Name of the file, and of the dashboard in Grafana's addresses. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly panels: readonly Panel[];
}

export const DASHBOARDS: readonly Dashboard[] = [
  {
    id: 'overview',
    title: 'Millrace: overview',
    description: 'Is it up, does it keep up, what is refused or lost.',
    panels: [
      stat('Workers ready', 'short', `sum(max by (model_name) (millrace:workers_ready{${MODEL}}))`),
      stat('Requests waiting', 'short', `sum(max by (model_name) (millrace:num_requests_waiting{${MODEL}}))`),
      stat('Oldest waiting', 's', `max(millrace:queue_oldest_age_seconds{${MODEL}})`),
      stat(
        'Redis memory',
        'percentunit',
        'max(millrace:redis_memory_used_bytes) / max(millrace:redis_memory_limit_bytes)',
      ),
      one(
        'Answers started and refused',
        'reqps',
        rate('millrace:admissions_total', 'outcome', 'outcome!=""'),
        '{{outcome}}',
      ),
      quantiles('Time to first token', 'millrace:time_to_first_token_seconds'),
      one('Tokens generated', 'short', rate('millrace:generation_tokens_total', 'model_name'), '{{model_name}}'),
      one('Ends', 'reqps', rate('millrace:request_success_total', 'finished_reason'), '{{finished_reason}}'),
      one('Attempts lost', 'reqps', rate('millrace:failovers_total', 'cause'), '{{cause}}'),
      one('HTTP by status', 'reqps', rate('millrace:http_requests_total', 'status', 'route!=""'), '{{status}}'),
      one('Open requests', 'short', 'sum by (instance) (millrace:open_requests)', '{{instance}}'),
      {
        title: 'Redis',
        unit: 's',
        targets: [
          { query: 'max by (instance) (millrace:redis_latency_seconds)', legend: '{{instance}} PING' },
          {
            query: 'sum by (instance) (rate(millrace:redis_reconnects_total[$__rate_interval]))',
            legend: '{{instance}} reconnects/s',
          },
        ],
      },
      one(
        'Event loop delay, p99',
        's',
        'max by (job, instance) (nodejs_eventloop_lag_p99_seconds{job=~"millrace-.*"})',
        '{{instance}}',
      ),
      one(
        'Memory',
        'bytes',
        'sum by (job, instance) (process_resident_memory_bytes{job=~"millrace-.*"})',
        '{{instance}}',
      ),
      one(
        'CPU',
        'percentunit',
        'sum by (job, instance) (rate(process_cpu_seconds_total{job=~"millrace-.*"}[$__rate_interval]))',
        '{{instance}}',
      ),
      one('Releases', 'short', 'count by (process, version) (millrace:build_info)', '{{process}} {{version}}'),
      one(
        'Metrics not collected',
        'short',
        'sum by (instance, collector) (rate(millrace:metrics_collect_errors_total[$__rate_interval]))',
        '{{instance}} {{collector}}',
      ),
    ],
  },
  {
    id: 'serving',
    title: 'Millrace: serving by model',
    description: 'The queue and the latencies of each model, as clients see them.',
    panels: [
      {
        title: 'Queue',
        unit: 'short',
        targets: [
          { query: `max by (model_name) (millrace:num_requests_waiting{${MODEL}})`, legend: '{{model_name}} waiting' },
          {
            query: `max by (model_name) (millrace:queue_active_jobs{${MODEL}})`,
            legend: '{{model_name}} with workers',
          },
          { query: `max by (model_name) (millrace:slots_ready{${MODEL}})`, legend: '{{model_name}} slots' },
        ],
      },
      {
        title: 'Wait',
        unit: 's',
        targets: [
          {
            query: `max by (model_name) (millrace:queue_estimated_wait_seconds{${MODEL}})`,
            legend: '{{model_name}} estimated',
          },
          {
            query: `max by (model_name) (millrace:queue_oldest_age_seconds{${MODEL}})`,
            legend: '{{model_name}} oldest',
          },
        ],
      },
      one('Drain rate', 'reqps', `max by (model_name) (millrace:queue_drain_rate{${MODEL}})`, '{{model_name}}'),
      quantiles('Time in the queue', 'millrace:request_queue_time_seconds'),
      quantiles('Time to first token', 'millrace:time_to_first_token_seconds'),
      quantiles('Time between tokens', 'millrace:inter_token_latency_seconds'),
      quantiles('Whole request', 'millrace:e2e_request_latency_seconds'),
      quantiles('Failover', 'millrace:failover_seconds'),
      {
        title: 'Admission, p99',
        unit: 's',
        targets: [
          {
            query:
              'histogram_quantile(0.99, sum by (outcome, le) (rate(millrace:admission_seconds_bucket[$__rate_interval])))',
            legend: '{{outcome}}',
          },
        ],
      },
      {
        title: 'Cancel, p99',
        unit: 's',
        targets: [
          {
            query:
              'histogram_quantile(0.99, sum by (phase, le) (rate(millrace:cancel_latency_seconds_bucket[$__rate_interval])))',
            legend: '{{phase}}',
          },
        ],
      },
      one('Failures', 'reqps', rate('millrace:request_failures_total', 'model_name, code'), '{{model_name}} {{code}}'),
      {
        title: 'Tokens per request, mean',
        unit: 'short',
        targets: ['prompt', 'generation'].map((kind) => ({
          query: `${rate(`millrace:request_${kind}_tokens_sum`, 'model_name')} / ${rate(`millrace:request_${kind}_tokens_count`, 'model_name')}`,
          legend: `{{model_name}} ${kind}`,
        })),
      },
      {
        title: 'Asked for, mean',
        unit: 'short',
        targets: ['max_tokens', 'n'].map((kind) => ({
          query: `${rate(`millrace:request_params_${kind}_sum`, 'model_name')} / ${rate(`millrace:request_params_${kind}_count`, 'model_name')}`,
          legend: `{{model_name}} ${kind}`,
        })),
      },
      one('Workers', 'short', `max by (model_name) (millrace:workers_ready{${MODEL}})`, '{{model_name}}'),
    ],
  },
  {
    id: 'tenants',
    title: 'Millrace: tenants',
    description: 'Who uses it, who is refused, and whether shares are fair. Bounded by MILLRACE_METRICS_TENANTS.',
    panels: [
      one(
        'Requests',
        'reqps',
        'sum by (tenant) (rate(millrace:tenant_requests_total[$__rate_interval]))',
        '{{tenant}}',
      ),
      one(
        'Outcomes',
        'reqps',
        'sum by (tenant, outcome) (rate(millrace:tenant_requests_total[$__rate_interval]))',
        '{{tenant}} {{outcome}}',
      ),
      {
        ...one(
          'Tokens',
          'short',
          'sum by (tenant, kind) (rate(millrace:tenant_tokens_total[$__rate_interval]))',
          '{{tenant}} {{kind}}',
        ),
        stacked: true,
      },
      one(
        'Mean wait',
        's',
        'sum by (tenant) (rate(millrace:tenant_queue_seconds_total[$__rate_interval])) / sum by (tenant) (rate(millrace:tenant_requests_total{outcome!="refused"}[$__rate_interval]))',
        '{{tenant}}',
      ),
      one(
        'Fairness lag',
        'short',
        `max by (model_name) (millrace:fairness_lag_tokens{${MODEL}})`,
        '{{model_name}} weighted tokens',
      ),
      one('Refusals', 'reqps', rate('millrace:admissions_total', 'outcome', 'outcome!="admitted"'), '{{outcome}}'),
      one('Leases', 'short', 'sum by (instance) (millrace:admission_leases)', '{{instance}}'),
      one(
        'Settlements that wait for Redis',
        'short',
        'sum by (instance) (millrace:settlements_pending)',
        '{{instance}}',
      ),
      one('Ledger entries not exported', 'short', 'max by (group) (millrace:ledger_lag_entries)', '{{group}}'),
    ],
  },
  {
    id: 'engine',
    title: 'Millrace: workers and engine',
    description: 'What workers compute, and how tokens get back.',
    panels: [
      {
        title: 'Slots',
        unit: 'short',
        targets: [
          {
            query: `sum by (instance, model_name) (millrace:num_requests_running{${MODEL}})`,
            legend: '{{instance}} running',
          },
          {
            query: `sum by (instance, model_name) (millrace:engine_requests_waiting{${MODEL}})`,
            legend: '{{instance}} waiting',
          },
          {
            query: `sum by (instance, model_name) (millrace:engine_requests_parked{${MODEL}})`,
            legend: '{{instance}} parked',
          },
          { query: `sum by (instance, model_name) (millrace:engine_slots{${MODEL}})`, legend: '{{instance}} slots' },
        ],
      },
      {
        title: 'Seats between tenants, and order within one',
        unit: 'short',
        targets: [
          { query: rate('millrace:engine_parks_total', 'instance'), legend: '{{instance}} parks/s' },
          { query: rate('millrace:express_jobs_total', 'instance'), legend: '{{instance}} express jobs/s' },
          {
            query: rate('millrace:brought_forward_jobs_total', 'instance'),
            legend: '{{instance}} jobs/s brought forward for their prompt',
          },
          {
            query: `max by (instance, model_name) (millrace:engine_fairness_lag_steps{${MODEL}})`,
            legend: '{{instance}} lag, steps',
          },
        ],
      },
      one(
        'KV cache',
        'percentunit',
        `max by (instance, model_name) (millrace:kv_cache_usage_perc{${MODEL}})`,
        '{{instance}}',
      ),
      one(
        'KV cache, tokens',
        'short',
        `sum by (instance, model_name) (millrace:kv_cache_budget_tokens{${MODEL}} * millrace:kv_cache_usage_perc{${MODEL}})`,
        '{{instance}}',
      ),
      {
        title: 'KV cache, memory',
        unit: 'short',
        targets: [
          {
            query: `sum by (instance) (millrace:engine_slots{${MODEL}} * millrace:engine_slot_tokens{${MODEL}})`,
            legend: '{{instance}} in all slots',
          },
          {
            query: `sum by (instance) (millrace:kv_cache_resident_tokens{${MODEL}})`,
            legend: '{{instance}} resident tokens',
          },
          { query: rate('millrace:num_preemptions_total', 'instance'), legend: '{{instance}} preemptions' },
        ],
      },
      one(
        'Prompt tokens found in the prefix cache',
        'percentunit',
        `sum by (instance) (rate(millrace:prefix_cache_hits_total{${MODEL}}[$__rate_interval])) / sum by (instance) (rate(millrace:prefix_cache_queries_total{${MODEL}}[$__rate_interval]))`,
        '{{instance}}',
      ),
      {
        title: 'Prefix cache',
        unit: 'short',
        targets: [
          { query: `sum by (instance) (millrace:prefix_cache_tokens{${MODEL}})`, legend: '{{instance}} tokens' },
          { query: rate('millrace:prefix_cache_evictions_total', 'instance'), legend: '{{instance}} evictions' },
        ],
      },
      {
        title: 'GPU memory',
        unit: 'bytes',
        targets: [
          { query: 'sum by (instance) (millrace:device_memory_used_bytes)', legend: '{{instance}} in use' },
          { query: 'sum by (instance) (millrace:device_memory_total_bytes)', legend: '{{instance}} in all' },
        ],
      },
      one('GPU utilisation', 'percentunit', 'sum by (instance) (millrace:device_utilization_ratio)', '{{instance}}'),
      one(
        'Bytes between host and device',
        'Bps',
        rate('millrace:device_transfer_bytes_total', 'instance'),
        '{{instance}}',
      ),
      one('Logits fetched whole', 'short', rate('millrace:whole_logit_rows_total', 'instance'), '{{instance}} rows'),
      {
        title: 'Decode runs',
        unit: 'short',
        targets: [
          {
            query: `sum by (instance) (rate(millrace:engine_runs_total{${MODEL}, kind="decode"}[$__rate_interval]))`,
            legend: '{{instance}} all',
          },
          { query: rate('millrace:cuda_graph_replays_total', 'instance'), legend: '{{instance}} replayed CUDA graphs' },
        ],
      },
      {
        title: 'Tokens',
        unit: 'short',
        targets: [
          { query: rate('millrace:prompt_tokens_total', 'instance'), legend: '{{instance}} prompt' },
          { query: rate('millrace:generation_tokens_total', 'instance'), legend: '{{instance}} generated' },
          { query: rate('millrace:decoded_tokens_total', 'instance'), legend: '{{instance}} decode rows' },
        ],
      },
      {
        title: 'Proposed tokens',
        unit: 'short',
        targets: [
          { query: rate('millrace:spec_decode_num_draft_tokens_total', 'instance'), legend: '{{instance}} verified' },
          { query: rate('millrace:spec_decode_num_accepted_tokens_total', 'instance'), legend: '{{instance}} right' },
        ],
      },
      one('Runs', 'short', rate('millrace:engine_runs_total', 'instance, kind'), '{{instance}} {{kind}}'),
      quantiles('Time between tokens', 'millrace:inter_token_latency_seconds'),
      quantiles('Wait in the engine', 'millrace:engine_queue_time_seconds'),
      quantiles('Prefill', 'millrace:request_prefill_time_seconds'),
      quantiles('Decode', 'millrace:request_decode_time_seconds'),
      quantiles('Whole attempt', 'millrace:request_inference_time_seconds'),
      quantiles('Cancel in the engine', 'millrace:engine_cancel_latency_seconds'),
      one('Jobs', 'short', rate('millrace:jobs_total', 'instance, outcome'), '{{instance}} {{outcome}}'),
      {
        title: 'Queue health',
        unit: 'short',
        targets: [
          { query: `min by (instance) (millrace:consuming{${MODEL}})`, legend: '{{instance}} consuming' },
          { query: rate('millrace:job_locks_renewed_total', 'instance'), legend: '{{instance}} locks renewed' },
          { query: rate('millrace:job_locks_lost_total', 'instance'), legend: '{{instance}} locks lost' },
          { query: rate('millrace:jobs_stalled_total', 'instance'), legend: '{{instance}} stalled' },
          { query: rate('millrace:engines_replaced_total', 'instance'), legend: '{{instance}} engines replaced' },
        ],
      },
      {
        title: 'Relay, traffic',
        unit: 'short',
        targets: [
          {
            query: 'sum by (job, instance) (rate(millrace:relay_messages_total[$__rate_interval]))',
            legend: '{{instance}} messages/s',
          },
          {
            query: 'sum by (job, instance) (rate(millrace:relay_bytes_total[$__rate_interval]))',
            legend: '{{instance}} bytes/s',
          },
          {
            query: 'sum by (job, instance) (rate(millrace:relay_tokens_total[$__rate_interval]))',
            legend: '{{instance}} tokens/s',
          },
        ],
      },
      {
        title: 'Requests offered to workers, by answer',
        unit: 'reqps',
        targets: [
          {
            query: 'sum by (instance, answer) (rate(millrace:relay_offers_total[$__rate_interval]))',
            legend: '{{instance}} {{answer}}',
          },
        ],
      },
      {
        title: 'Relay, backpressure and loss',
        unit: 'short',
        targets: [
          { query: 'sum by (instance) (millrace:relay_pending_bytes)', legend: '{{instance}} bytes pending' },
          {
            query: 'sum by (instance) (rate(millrace:relay_dropped_frames_total[$__rate_interval]))',
            legend: '{{instance}} dropped',
          },
          {
            query: 'sum by (instance, cause) (rate(millrace:relay_refused_frames_total[$__rate_interval]))',
            legend: '{{instance}} {{cause}}',
          },
          {
            query: 'sum by (instance) (rate(millrace:relay_streams_lost_total[$__rate_interval]))',
            legend: '{{instance}} streams lost',
          },
          { query: 'sum by (instance) (millrace:relay_streams)', legend: '{{instance}} streams' },
          { query: 'sum by (instance) (millrace:relay_open_requests)', legend: '{{instance}} open requests' },
        ],
      },
    ],
  },
];
