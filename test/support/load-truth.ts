import type { METRICS } from '#observability';
import type { ScrapedMetrics } from './scraped-metrics.ts';

/** What the clients of a load were told, and what was started for it. Every request was answered in full. */
export interface LoadTruth {
  readonly tenant: string;
  readonly requests: number;
  readonly choices: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Sum of the requests' `max_tokens`. */
  readonly mostTokens: number;
  readonly slots: number;
  readonly slotTokens: number;
  /** As Redis itself tells. */
  readonly redisBytes: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
}

/** Where a figure has to lie that no client can know exactly. */
interface Range {
  readonly least: number;
  readonly most: number;
}

export interface Figure {
  readonly name: string;
  readonly seen: number;
  readonly right: number | Range;
}

/** What one scrape of every process said. */
interface Scrapes {
  readonly api: ScrapedMetrics;
  readonly workers: readonly ScrapedMetrics[];
}

export function isRight({ seen, right }: Figure): boolean {
  return typeof right === 'number' ? Math.abs(seen - right) <= 1e-6 : seen >= right.least && seen <= right.most;
}

/**
 * What each metric has to say when the load is over and all is quiet again. Every documented metric has its line: one that
 * is added without saying what is right for it does not compile.
 */
export function figuresOf(truth: LoadTruth, { api, workers }: Scrapes): Record<keyof typeof METRICS, Figure[]> {
  const { requests, choices, promptTokens, cachedTokens, completionTokens, slots, seconds, redisBytes } = truth;
  const between = (least: number, most: number): Range => ({ least, most });
  const figure = (scrapes: readonly ScrapedMetrics[], name: string, right: number | Range, labels = {}): Figure[] => {
    const seen = scrapes.reduce((sum, scrape) => sum + scrape.sum(`millrace:${name}`, labels), 0);
    return [{ name: `${name}${JSON.stringify(labels)}`, seen, right }];
  };
  const ofApi = (name: string, right: number | Range, labels = {}) => figure([api], name, right, labels);
  const ofWorkers = (name: string, right: number | Range, labels = {}) => figure(workers, name, right, labels);
  const ofEach = (name: string, right: number | Range) =>
    [api, ...workers].flatMap((scrape) => figure([scrape], name, right));
  const times = (of: typeof ofApi, name: string, count: number, labels = {}) => [
    ...of(`${name}_count`, count, labels),
    ...of(`${name}_sum`, between(0, count * seconds), labels),
  ];
  // The first token of each choice comes from its prompt.
  const gaps = completionTokens - choices;
  const firstTokens = api.sum('millrace:time_to_first_token_seconds_sum');
  return {
    buildInfo: ofEach('build_info', 1),
    collectErrors: ofEach('metrics_collect_errors_total', between(0, 2)),

    numRequestsRunning: ofWorkers('num_requests_running', 0),
    engineRequestsWaiting: ofWorkers('engine_requests_waiting', 0),
    engineParked: ofWorkers('engine_requests_parked', 0),
    engineParks: ofWorkers('engine_parks_total', 0),
    engineFairnessLag: ofWorkers('engine_fairness_lag_steps', 0),
    engineSlots: ofWorkers('engine_slots', slots),
    engineSlotTokens: ofWorkers('engine_slot_tokens', workers.length * truth.slotTokens),
    kvCacheUsage: ofWorkers('kv_cache_usage_perc', 0),
    kvCacheBudget: ofWorkers('kv_cache_budget_tokens', slots * truth.slotTokens),
    kvCacheResident: ofWorkers('kv_cache_resident_tokens', between(1, slots * truth.slotTokens)),
    preemptions: ofWorkers('num_preemptions_total', 0),
    prefixCacheQueries: ofWorkers('prefix_cache_queries_total', promptTokens),
    prefixCacheHits: ofWorkers('prefix_cache_hits_total', cachedTokens),
    prefixCacheTokens: ofWorkers('prefix_cache_tokens', between(1, promptTokens)),
    prefixCacheEvictions: ofWorkers('prefix_cache_evictions_total', 0),
    deviceTransfers: ofWorkers('device_transfer_bytes_total', 0),
    wholeRows: ofWorkers('whole_logit_rows_total', 0),
    graphReplays: ofWorkers('cuda_graph_replays_total', 0),
    deviceMemoryUsed: ofWorkers('device_memory_used_bytes', 0),
    deviceMemoryTotal: ofWorkers('device_memory_total_bytes', 0),
    deviceUtilization: ofWorkers('device_utilization_ratio', 0),
    promptTokens: ofWorkers('prompt_tokens_total', promptTokens - cachedTokens),
    generationTokens: ofWorkers('generation_tokens_total', completionTokens),
    decodedTokens: ofWorkers('decoded_tokens_total', gaps),
    speculationProposed: ofWorkers('spec_decode_num_draft_tokens_total', 0),
    speculationAccepted: ofWorkers('spec_decode_num_accepted_tokens_total', 0),
    engineRuns: [
      ...ofWorkers('engine_runs_total', between(requests, promptTokens), { kind: 'prefill' }),
      ...ofWorkers('engine_runs_total', between(gaps / slots, gaps), { kind: 'decode' }),
      ...ofWorkers('engine_runs_total', 0, { kind: 'verify' }),
    ],
    enginesReplaced: ofWorkers('engines_replaced_total', 0),
    interTokenLatency: times(ofWorkers, 'inter_token_latency_seconds', gaps),
    engineQueueTime: times(ofWorkers, 'engine_queue_time_seconds', requests),
    requestPrefillTime: times(ofWorkers, 'request_prefill_time_seconds', requests),
    requestDecodeTime: times(ofWorkers, 'request_decode_time_seconds', requests),
    requestInferenceTime: times(ofWorkers, 'request_inference_time_seconds', requests),
    jobs: [
      ...ofWorkers('jobs_total', requests, { outcome: 'granted' }),
      ...ofWorkers('jobs_total', 0, { outcome: 'resumed' }),
    ],
    engineCancelLatency: ofWorkers('engine_cancel_latency_seconds_count', 0),
    expressJobs: ofWorkers('express_jobs_total', 0),
    broughtForwardJobs: ofWorkers('brought_forward_jobs_total', workers.length > 1 ? between(0, requests) : 0),
    consuming: ofWorkers('consuming', workers.length),
    jobLocksLost: ofWorkers('job_locks_lost_total', 0),
    jobLocksRenewed: ofWorkers('job_locks_renewed_total', between(0, requests * seconds)),
    jobsStalled: ofWorkers('jobs_stalled_total', 0),

    relayStreams: [...ofApi('relay_streams', workers.length), ...ofWorkers('relay_streams', workers.length)],
    // What one end has sent the other has taken.
    relayMessages: ofWorkers('relay_messages_total', api.sum('millrace:relay_messages_total')),
    relayBytes: ofWorkers('relay_bytes_total', api.sum('millrace:relay_bytes_total')),
    relayTokens: ofApi('relay_tokens_total', completionTokens),
    relayOpenRequests: ofApi('relay_open_requests', 0),
    relayRefusedFrames: ofApi('relay_refused_frames_total', 0),
    relayOffers: [
      ...ofApi('relay_offers_total', between(1, requests), { answer: 'accepted' }),
      ...ofApi('relay_offers_total', between(0, requests - 1), { answer: 'declined' }),
      ...ofApi('relay_offers_total', between(0, requests - 1), { answer: 'unanswered' }),
    ],
    relayStreamsLost: ofEach('relay_streams_lost_total', 0),
    relayPendingBytes: ofWorkers('relay_pending_bytes', 0),
    relayDroppedFrames: ofWorkers('relay_dropped_frames_total', 0),

    httpRequests: ofApi('http_requests_total', requests, { route: '/v1/chat/completions', status: '200' }),
    openRequests: ofApi('open_requests', 0),
    timeToFirstToken: times(ofApi, 'time_to_first_token_seconds', requests),
    e2eLatency: [
      ...ofApi('e2e_request_latency_seconds_count', requests),
      ...ofApi('e2e_request_latency_seconds_sum', between(firstTokens, requests * seconds)),
    ],
    requestQueueTime: times(ofApi, 'request_queue_time_seconds', requests),
    requestPromptTokens: [
      ...ofApi('request_prompt_tokens_count', requests),
      ...ofApi('request_prompt_tokens_sum', promptTokens),
    ],
    requestGenerationTokens: [
      ...ofApi('request_generation_tokens_count', requests),
      ...ofApi('request_generation_tokens_sum', completionTokens),
    ],
    requestMaxTokens: ofApi('request_params_max_tokens_sum', truth.mostTokens),
    requestChoices: ofApi('request_params_n_sum', choices),
    requestSuccess: [
      ...ofApi('request_success_total', choices, { finished_reason: 'length' }),
      ...ofApi('request_success_total', choices),
    ],
    requestFailures: ofApi('request_failures_total', 0),
    admissions: ofApi('admissions_total', requests, { outcome: 'admitted' }),
    admissionTime: times(ofApi, 'admission_seconds', requests, { outcome: 'admitted' }),
    failovers: ofApi('failovers_total', 0),
    failoverTime: ofApi('failover_seconds_count', 0),
    cancelLatency: ofApi('cancel_latency_seconds_count', 0),
    queueOldestAge: ofApi('queue_oldest_age_seconds', 0),
    settlementsPending: ofApi('settlements_pending', 0),
    admissionHandles: ofApi('admission_leases', 0),
    tenantRequests: ofApi('tenant_requests_total', requests, { tenant: truth.tenant, outcome: 'completed' }),
    tenantTokens: Object.entries({ prompt: promptTokens, cached: cachedTokens, completion: completionTokens }).flatMap(
      ([kind, tokens]) => ofApi('tenant_tokens_total', tokens, { tenant: truth.tenant, kind }),
    ),
    tenantQueueTime: ofApi('tenant_queue_seconds_total', api.sum('millrace:request_queue_time_seconds_sum'), {
      tenant: truth.tenant,
    }),
    ledgerLag: ofApi('ledger_lag_entries', requests, { group: 'billing' }),
    numRequestsWaiting: ofApi('num_requests_waiting', 0),
    queueActiveJobs: ofApi('queue_active_jobs', 0),
    workersReady: ofApi('workers_ready', workers.length),
    slotsReady: ofApi('slots_ready', slots),
    queueEstimatedWait: ofApi('queue_estimated_wait_seconds', 0),
    // A request took less than the whole load, and more than a millisecond.
    queueDrainRate: ofApi('queue_drain_rate', between(slots / seconds, slots * 1_000)),
    fairnessLag: ofApi('fairness_lag_tokens', 0),
    redisUp: ofEach('redis_up', 1),
    redisLatency: ofEach('redis_latency_seconds', between(0, 1)),
    redisReconnects: ofEach('redis_reconnects_total', 0),
    redisMemoryUsed: ofApi('redis_memory_used_bytes', between(redisBytes / 2, redisBytes * 2)),
    redisMemoryLimit: ofApi('redis_memory_limit_bytes', between(redisBytes * 2, 1e15)),
  };
}
