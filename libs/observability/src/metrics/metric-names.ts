import { counter, gauge, histogram } from './metric-definition.ts';

/** Bounds of vLLM's histograms, so that its dashboards fit. */
const PHASE_SECONDS = [0.005, 0.02, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480];
const INTER_TOKEN_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10,
];
/** For what has to be quick: calls to Redis, cancels. */
const SHORT_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/**
 * Every metric that Millrace makes. Where vLLM has the same thing, its name stands behind `millrace:` and its labels are
 * the same. `docs/operations/metrics.md` is made from this file: `node tools/observability/write-metrics-page.mjs`.
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
  engineSlots: gauge('worker', 'millrace:engine_slots', 'Sequences that can run together.', ['model_name']),
  engineSlotTokens: gauge('worker', 'millrace:engine_slot_tokens', 'Prompt and answer tokens that one slot holds.', [
    'model_name',
  ]),
  kvCacheUsage: gauge(
    'worker',
    'millrace:kv_cache_usage_perc',
    'Part of the KV cache that holds computed tokens; 1 is all of it.',
    ['model_name'],
  ),
  promptTokens: counter('worker', 'millrace:prompt_tokens_total', 'Prompt tokens computed by prefill.', ['model_name']),
  generationTokens: counter('worker', 'millrace:generation_tokens_total', 'Tokens generated and sent.', ['model_name']),
  decodedTokens: counter(
    'worker',
    'millrace:decoded_tokens_total',
    'Rows of decode runs: generated tokens and tokens that a resumed sequence computed anew.',
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
    'From the grant of an attempt to its slot in the engine, where one prompt is computed at a time.',
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
    'From the grant of an attempt to its end.',
    PHASE_SECONDS,
    ['model_name'],
  ),
  jobs: counter('worker', 'millrace:jobs_total', 'Jobs taken from the queue, by what became of the claim.', [
    'model_name',
    'outcome',
  ]),
  cancelLatency: histogram(
    'worker',
    'millrace:cancel_latency_seconds',
    'From the notice of a cancel to the end of its last sequence.',
    SHORT_SECONDS,
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
  relayMessages: counter('both', 'millrace:relay_messages_total', 'Messages of workers: one per step and replica.'),
  relayBytes: counter('both', 'millrace:relay_bytes_total', 'Bytes of those messages, before the framing of gRPC.'),
  relayTokens: counter('api', 'millrace:relay_tokens_total', 'Tokens taken from workers and delivered.'),
  relayOpenRequests: gauge('api', 'millrace:relay_open_requests', 'Requests that wait for frames of a worker.'),
  relayRefusedFrames: counter('api', 'millrace:relay_refused_frames_total', 'Frames that the fence refused.', [
    'cause',
  ]),
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
} as const;
