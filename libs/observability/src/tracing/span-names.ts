/**
 * Every span of a request's trace (docs/architecture/observability.md). The HTTP and GenAI names and attributes are those of
 * OpenTelemetry's semantic conventions; the others begin with `millrace.`.
 */
export const SPANS = {
  /** API, root: the HTTP request. */
  http: (method: string, route: string) => `${method} ${route}`,
  /** API: the generation, from the validated request to its end; its context goes with the job. */
  chat: (model: string) => `chat ${model}`,
  /** API: chat template, tokenizer, compiled constraint. */
  prepare: 'prepare prompt',
  /** API: limits, credits and a place in the queue. */
  admit: 'admission',
  /** API, one per attempt: from the queue to the grant of a worker's claim. */
  queueWait: 'queue wait',
  /** API, one per attempt: from the grant to the last frame. */
  relay: 'relay',
  /** API: from the first byte to the client to the last. */
  deliver: 'deliver',
  /** Worker, one per attempt: from the job to its end. */
  attempt: (model: string) => `attempt ${model}`,
  /** Worker: asking the replica whether anybody waits. */
  claim: 'claim',
  /** Worker: from the grant to a slot. */
  engineWait: 'engine wait',
  prefill: 'prefill',
  /** Worker: from the first token to the last. */
  decode: 'decode',
} as const;

export const ATTRIBUTES = {
  method: 'http.request.method',
  route: 'http.route',
  status: 'http.response.status_code',
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  responseModel: 'gen_ai.response.model',
  responseId: 'gen_ai.response.id',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  topP: 'gen_ai.request.top_p',
  topK: 'gen_ai.request.top_k',
  seed: 'gen_ai.request.seed',
  choices: 'gen_ai.request.choice.count',
  frequencyPenalty: 'gen_ai.request.frequency_penalty',
  presencePenalty: 'gen_ai.request.presence_penalty',
  inputTokens: 'gen_ai.usage.input_tokens',
  cachedTokens: 'gen_ai.usage.cache_read.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  finishReasons: 'gen_ai.response.finish_reasons',
  /** Seconds. */
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  messagingSystem: 'messaging.system',
  destination: 'messaging.destination.name',
  requestId: 'millrace.request.id',
  tenant: 'millrace.tenant.id',
  epoch: 'millrace.epoch',
  worker: 'millrace.worker.id',
  replica: 'millrace.replica.id',
  resumedTokens: 'millrace.resumed_tokens',
  queuePosition: 'millrace.queue.position',
  estimatedWaitMs: 'millrace.queue.estimated_wait_ms',
  cancelReason: 'millrace.cancel.reason',
  messages: 'millrace.relay.deltas',
} as const;

/** Event on the `chat` span. */
export const FIRST_TOKEN = 'gen_ai.first_token';
