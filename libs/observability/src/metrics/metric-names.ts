import { counter, gauge, histogram } from './metric-definition.ts';

/** Bounds of vLLM's histograms, so that its dashboards fit. */
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
];
const PHASE_SECONDS = [0.005, 0.02, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480];
const INTER_TOKEN_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10,
];
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];
const CHOICES = [1, 2, 5, 10, 20];
/** For what has to be quick: calls to Redis, cancels. */
const SHORT_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/**
 * Every metric that Millrace makes. Where vLLM has the same thing, its name stands behind `millrace:` and its labels are
 * the same. `docs/operations/metrics.md` is made from this file: `node tools/observability/write-metrics-page.ts`.
 */
export const METRICS = {
  buildInfo: gauge('both', 'millrace:build_info', 'Always 1; the labels say which release runs.', [
    'process',
    'version',
    'node',
  ]),
  collectErrors: counter(
    'both',
    'millrace:metrics_collect_errors_total',
    'Scrapes that went on with old values, since what they had to ask failed or took longer than a second.',
    ['collector'],
  ),

  numRequestsRunning: gauge('worker', 'millrace:num_requests_running', 'Sequences that hold a slot of the engine.', [
    'model_name',
  ]),
  engineRequestsWaiting: gauge(
    'worker',
    'millrace:engine_requests_waiting',
    'Sequences in the engine that wait for a slot (choices of n > 1 and prompts behind another prompt).',
    ['model_name'],
  ),
  engineParked: gauge(
    'worker',
    'millrace:engine_requests_parked',
    "Sequences that gave their seat to another tenant's and wait with what they have computed.",
    ['model_name'],
  ),
  engineParks: counter(
    'worker',
    'millrace:engine_parks_total',
    "Sequences that had to give their seat to another tenant's; nothing is computed anew for them.",
    ['model_name'],
  ),
  engineFairnessLag: gauge(
    'worker',
    'millrace:engine_fairness_lag_steps',
    'Largest difference of seat time ÷ weight between the tenants that are in the engine, in steps.',
    ['model_name'],
  ),
  engineSlots: gauge('worker', 'millrace:engine_slots', 'Sequences that can run together.', ['model_name']),
  engineSlotTokens: gauge('worker', 'millrace:engine_slot_tokens', 'Prompt and answer tokens that one slot holds.', [
    'model_name',
  ]),
  kvCacheUsage: gauge(
    'worker',
    'millrace:kv_cache_usage_perc',
    'Part of the KV cache (MILLRACE_KV_MB, or all slots) that holds computed tokens; 1 is all of it.',
    ['model_name'],
  ),
  kvCacheBudget: gauge(
    'worker',
    'millrace:kv_cache_budget_tokens',
    'Tokens of all sequences whose keys and values may be in memory at a time.',
    ['model_name'],
  ),
  kvCacheResident: gauge(
    'worker',
    'millrace:kv_cache_resident_tokens',
    'Tokens that the slots have taken memory of the system for; with the cache in a device, all that it can hold.',
    ['model_name'],
  ),
  preemptions: counter(
    'worker',
    'millrace:num_preemptions_total',
    'Sequences that lost what they had computed, for want of memory, and are computed anew.',
    ['model_name'],
  ),
  prefixCacheQueries: counter(
    'worker',
    'millrace:prefix_cache_queries_total',
    'Prompt tokens that were looked for in the prefix cache.',
    ['model_name'],
  ),
  prefixCacheHits: counter(
    'worker',
    'millrace:prefix_cache_hits_total',
    'Prompt tokens that were found there, and so not computed.',
    ['model_name'],
  ),
  prefixCacheTokens: gauge('worker', 'millrace:prefix_cache_tokens', 'Tokens that its blocks in use have room for.', [
    'model_name',
  ]),
  prefixCacheEvictions: counter(
    'worker',
    'millrace:prefix_cache_evictions_total',
    'Blocks that the prefix cache gave up for others.',
    ['model_name'],
  ),
  deviceTransfers: counter(
    'worker',
    'millrace:device_transfer_bytes_total',
    'Bytes that the runs of a model took between host and device memory; 0 with the cache in host memory.',
    ['model_name'],
  ),
  wholeRows: counter(
    'worker',
    'millrace:whole_logit_rows_total',
    'Rows of logits that came over from a device whole, because what was selected of them did not decide.',
    ['model_name'],
  ),
  graphReplays: counter(
    'worker',
    'millrace:cuda_graph_replays_total',
    'Decode runs that replayed a captured CUDA graph (MILLRACE_CUDA_GRAPHS); the others launched each operator.',
    ['model_name'],
  ),
  deviceMemoryUsed: gauge(
    'worker',
    'millrace:device_memory_used_bytes',
    "Memory in use on the GPU that models run on, whoever uses it, as NVIDIA's driver tells every 10 s; 0 on other providers and while it tells nothing.",
    [],
  ),
  deviceMemoryTotal: gauge('worker', 'millrace:device_memory_total_bytes', 'Memory of that GPU.', []),
  deviceUtilization: gauge(
    'worker',
    'millrace:device_utilization_ratio',
    "Share of the driver's last sample period in which a kernel ran on that GPU.",
    [],
  ),
  promptTokens: counter('worker', 'millrace:prompt_tokens_total', 'Prompt tokens computed by prefill.', ['model_name']),
  generationTokens: counter('worker', 'millrace:generation_tokens_total', 'Tokens generated and sent.', ['model_name']),
  decodedTokens: counter(
    'worker',
    'millrace:decoded_tokens_total',
    'Rows of decode runs, with the tokens that verified runs gave: generated tokens and tokens that a resumed sequence computed anew.',
    ['model_name'],
  ),
  speculationProposed: counter(
    'worker',
    'millrace:spec_decode_num_draft_tokens_total',
    'Tokens that were proposed for answers that ran alone, and verified (MILLRACE_SPECULATION_TOKENS).',
    ['model_name'],
  ),
  speculationAccepted: counter(
    'worker',
    'millrace:spec_decode_num_accepted_tokens_total',
    'Of these, tokens that were right.',
    ['model_name'],
  ),
  engineRuns: counter('worker', 'millrace:engine_runs_total', 'Forward passes of the model.', ['model_name', 'kind']),
  enginesReplaced: counter(
    'worker',
    'millrace:engines_replaced_total',
    'Threads of the engine that crashed or hung and were replaced.',
    ['model_name'],
  ),
  interTokenLatency: histogram(
    'worker',
    'millrace:inter_token_latency_seconds',
    'Time between two tokens of one sequence, as they leave the engine.',
    INTER_TOKEN_SECONDS,
    ['model_name'],
  ),
  engineQueueTime: histogram(
    'worker',
    'millrace:engine_queue_time_seconds',
    'From giving an attempt to the engine to its slot there, where one prompt is computed at a time.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  requestPrefillTime: histogram(
    'worker',
    'millrace:request_prefill_time_seconds',
    'From the slot to the first new token of an attempt; in a resumed one with what had to be computed anew.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  requestDecodeTime: histogram(
    'worker',
    'millrace:request_decode_time_seconds',
    'From the first to the last token of an attempt.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  requestInferenceTime: histogram(
    'worker',
    'millrace:request_inference_time_seconds',
    'From giving an attempt to the engine to its end; not of attempts whose claim was refused.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  jobs: counter(
    'worker',
    'millrace:jobs_total',
    'Jobs taken, from the queue or offered, by what became of the claim.',
    ['model_name', 'outcome'],
  ),
  engineCancelLatency: histogram(
    'worker',
    'millrace:engine_cancel_latency_seconds',
    'From the notice of a cancel to the end of its last sequence.',
    SHORT_SECONDS,
    ['model_name'],
  ),
  expressJobs: counter(
    'worker',
    'millrace:express_jobs_total',
    'Jobs that were taken while all slots were held, since their tenant was below its share.',
    ['model_name'],
  ),
  broughtForwardJobs: counter(
    'worker',
    'millrace:brought_forward_jobs_total',
    'Waiting jobs that were made the next ones, before others of their tenant, since this worker had computed their prompts’ beginning.',
    ['model_name'],
  ),
  consuming: gauge('worker', 'millrace:consuming', '1 while jobs reach the worker, 0 while they do not.', [
    'model_name',
  ]),
  jobLocksLost: counter(
    'worker',
    'millrace:job_locks_lost_total',
    'Locks of jobs that could not be renewed, so that another worker may have been given the job.',
    ['model_name'],
  ),
  jobLocksRenewed: counter('worker', 'millrace:job_locks_renewed_total', 'Locks of jobs that were renewed.', [
    'model_name',
  ]),
  jobsStalled: counter(
    'worker',
    'millrace:jobs_stalled_total',
    'Jobs of vanished workers that this one put back into the queue.',
    ['model_name'],
  ),

  relayStreams: gauge('both', 'millrace:relay_streams', 'Open streams between this process and its peers.'),
  relayMessages: counter(
    'both',
    'millrace:relay_messages_total',
    'Messages from workers to replicas: one per step, and their greetings and claims.',
  ),
  relayBytes: counter('both', 'millrace:relay_bytes_total', 'Bytes of those messages, before the framing of gRPC.'),
  relayTokens: counter('api', 'millrace:relay_tokens_total', 'Tokens taken from workers and delivered.'),
  relayOpenRequests: gauge('api', 'millrace:relay_open_requests', 'Requests that wait for frames of a worker.'),
  relayRefusedFrames: counter('api', 'millrace:relay_refused_frames_total', 'Frames that the fence refused.', [
    'cause',
  ]),
  relayOffers: counter(
    'api',
    'millrace:relay_offers_total',
    'Requests that were offered to a worker, without the queue, by its answer: `accepted`, `declined` for want of room or because its tenant is due no seat there, or `unanswered`; the last two were queued.',
    ['answer'],
  ),
  relayStreamsLost: counter(
    'both',
    'millrace:relay_streams_lost_total',
    'Streams that ended while they held unfinished requests.',
  ),
  relayPendingBytes: gauge(
    'worker',
    'millrace:relay_pending_bytes',
    'Bytes that wait for API replicas to read; at 8 MiB a stream is broken.',
  ),
  relayDroppedFrames: counter(
    'worker',
    'millrace:relay_dropped_frames_total',
    'Frames of attempts that no replica waits for any more.',
  ),

  httpRequests: counter('api', 'millrace:http_requests_total', 'HTTP requests that were answered.', [
    'method',
    'route',
    'status',
  ]),
  openRequests: gauge('api', 'millrace:open_requests', 'Generation requests that this replica is answering.'),
  timeToFirstToken: histogram(
    'api',
    'millrace:time_to_first_token_seconds',
    'From the arrival of a request to the first of its answer.',
    FIRST_TOKEN_SECONDS,
    ['model_name'],
  ),
  e2eLatency: histogram(
    'api',
    'millrace:e2e_request_latency_seconds',
    'From the arrival of an admitted request to the end of its answer.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  requestQueueTime: histogram(
    'api',
    'millrace:request_queue_time_seconds',
    'From admission to the first grant of a worker.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  requestPromptTokens: histogram(
    'api',
    'millrace:request_prompt_tokens',
    'Prompt tokens of admitted requests.',
    TOKENS,
    ['model_name'],
  ),
  requestGenerationTokens: histogram(
    'api',
    'millrace:request_generation_tokens',
    'Tokens of all choices of requests that ended.',
    TOKENS,
    ['model_name'],
  ),
  requestMaxTokens: histogram(
    'api',
    'millrace:request_params_max_tokens',
    'Most tokens that a choice of an admitted request may have.',
    TOKENS,
    ['model_name'],
  ),
  requestChoices: histogram('api', 'millrace:request_params_n', 'Choices of admitted requests.', CHOICES, [
    'model_name',
  ]),
  requestSuccess: counter(
    'api',
    'millrace:request_success_total',
    'Choices that ended, by reason; `abort` counts requests whose client left or cancelled, `error` those that failed.',
    ['model_name', 'finished_reason'],
  ),
  requestFailures: counter(
    'api',
    'millrace:request_failures_total',
    'Admitted requests that failed, by the code of the error.',
    ['model_name', 'code'],
  ),
  admissions: counter(
    'api',
    'millrace:admissions_total',
    'Generation requests by what was decided: `admitted`, or the code of the refusal. The model is `none` where it was not known yet.',
    ['model_name', 'outcome'],
  ),
  admissionTime: histogram('api', 'millrace:admission_seconds', 'Time that the decision took.', SHORT_SECONDS, [
    'outcome',
  ]),
  failovers: counter('api', 'millrace:failovers_total', 'Attempts that were lost and had to be made good, by cause.', [
    'model_name',
    'cause',
  ]),
  failoverTime: histogram(
    'api',
    'millrace:failover_seconds',
    'From the loss of an attempt to the grant of the next: the resumes by the cause of the loss, and how long each took.',
    FIRST_TOKEN_SECONDS,
    ['model_name', 'cause'],
  ),
  cancelLatency: histogram(
    'api',
    'millrace:cancel_latency_seconds',
    'From the wish to end a request until its rendering is over, its job has left the queue or the worker has stopped it, by where it was.',
    SHORT_SECONDS,
    ['phase'],
  ),
  queueOldestAge: gauge(
    'api',
    'millrace:queue_oldest_age_seconds',
    'How long the oldest request of this replica has been waiting for a worker; 0 when none waits. Take max() over replicas.',
    ['model_name'],
  ),
  settlementsPending: gauge(
    'api',
    'millrace:settlements_pending',
    'Settlements, releases and leases that Redis could not take yet; they are tried again.',
  ),
  admissionHandles: gauge(
    'api',
    'millrace:admission_leases',
    'Requests of this replica that hold credits, concurrency or a place in the queue.',
  ),
  tenantRequests: counter(
    'api',
    'millrace:tenant_requests_total',
    'Generation requests by tenant; the outcome is `completed`, `cancelled`, `failed` or `refused`. The first MILLRACE_METRICS_TENANTS tenants have their names, the rest is `other`.',
    ['tenant', 'outcome'],
  ),
  tenantTokens: counter('api', 'millrace:tenant_tokens_total', 'Tokens by tenant, as they are charged.', [
    'tenant',
    'kind',
  ]),
  tenantQueueTime: counter(
    'api',
    'millrace:tenant_queue_seconds_total',
    'Seconds that requests of a tenant waited from admission to the first grant.',
    ['tenant'],
  ),

  ledgerLag: gauge(
    'api',
    'millrace:ledger_lag_entries',
    'Ledger entries that an export group has not taken or not confirmed, of up to 200 active tenants. Take max() over replicas.',
    ['group'],
  ),

  numRequestsWaiting: gauge(
    'api',
    'millrace:num_requests_waiting',
    'Requests in the queue that no worker has taken, of the whole cluster. Take max() over replicas.',
    ['model_name'],
  ),
  queueActiveJobs: gauge(
    'api',
    'millrace:queue_active_jobs',
    'Requests that workers hold, of the whole cluster. Take max() over replicas.',
    ['model_name'],
  ),
  workersReady: gauge(
    'api',
    'millrace:workers_ready',
    'Workers that take jobs, of the whole cluster; 0 for a model that was served before. Take max() over replicas.',
    ['model_name'],
  ),
  slotsReady: gauge('api', 'millrace:slots_ready', 'Slots of those workers. Take max() over replicas.', ['model_name']),
  queueEstimatedWait: gauge(
    'api',
    'millrace:queue_estimated_wait_seconds',
    'How long a request would wait that came last now. Take max() over replicas.',
    ['model_name'],
  ),
  queueDrainRate: gauge(
    'api',
    'millrace:queue_drain_rate',
    'Requests per second that the ready slots end, from the mean service time. Take max() over replicas.',
    ['model_name'],
  ),
  fairnessLag: gauge(
    'api',
    'millrace:fairness_lag_tokens',
    'How far the tenant that asked for most is ahead of virtual time: weighted tokens until its last request is due. Take max() over replicas.',
    ['model_name'],
  ),

  redisUp: gauge('both', 'millrace:redis_up', '1 while Redis answers this process, 0 while it does not.'),
  redisLatency: gauge('both', 'millrace:redis_latency_seconds', 'Time of one PING, at the scrape.'),
  redisReconnects: counter('both', 'millrace:redis_reconnects_total', 'Connections to Redis that were made anew.'),
  redisMemoryUsed: gauge(
    'api',
    'millrace:redis_memory_used_bytes',
    'Memory that Redis uses. Take max() over replicas.',
  ),
  redisMemoryLimit: gauge(
    'api',
    'millrace:redis_memory_limit_bytes',
    'Most memory that Redis may use (maxmemory), or the memory of its machine where that is 0. Take max() over replicas.',
  ),
} as const;
