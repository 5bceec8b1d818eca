/**
 * The seams between Millrace's parts: what travels through the queue and the relay, and the ports that libs implement.
 *
 * @module
 * @example
 * import { GenerateJob, JOB_VERSION } from '#contracts';
 * const job = GenerateJob.parse(JSON.parse(text)); // throws ZodError when a field is missing or unknown
 */
export { ERROR_CODES, type ErrorCode, isErrorCode } from './error-codes.ts';
export * as relay from './gen/relay.ts';
export { GenerateJob, JOB_VERSION, OLDEST_JOB_VERSION } from './generate-job.ts';
export { MillraceError, type MillraceErrorOptions } from './millrace-error.ts';
export { ModelCard } from './model-card.ts';
export {
  type DecoderShape,
  EXECUTION_PROVIDERS,
  type ExecutionProvider,
  KV_BLOCK_TOKENS,
  type ModelRunner,
  type PrefillParts,
  type RunnerDescription,
  wholeBlocks,
} from './model-runner.ts';
export { OutputConstraint } from './output-constraint.ts';
export { type PackedCard, packCard, unpackCard } from './packed-card.ts';
export { GREEDY, SamplingParameters } from './sampling-parameters.ts';
export { StopConditions } from './stop-conditions.ts';
export type { TokenTable } from './token-table.ts';
export { CommandAnswer, WorkerCommand } from './worker-command.ts';
export { HostedModelRecord, WorkerHolding, WorkerRecord, WorkerState } from './worker-record.ts';
