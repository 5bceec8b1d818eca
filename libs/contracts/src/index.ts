/**
 * The seams between Millrace's parts: what travels through the queue and the relay, and the ports that libs implement.
 *
 * @module
 * @example
 * import { GenerateJob, JOB_VERSION } from '#contracts';
 * const job = GenerateJob.parse(JSON.parse(text)); // throws ZodError when a field is missing or unknown
 */
export * as relay from './gen/relay.ts';
export { FIRST_EPOCH, GenerateJob, JOB_VERSION, OLDEST_JOB_VERSION } from './generate-job.ts';
export { ModelCard } from './model-card.ts';
export { OutputConstraint } from './output-constraint.ts';
export { type PackedCard, packCard, unpackCard } from './packed-card.ts';
export * from './ports/index.ts';
export { SamplingDefaults } from './sampling-defaults.ts';
export { GREEDY, SamplingParameters } from './sampling-parameters.ts';
export { StopConditions } from './stop-conditions.ts';
export { TokenLimits } from './token-limits.ts';
export { CommandAnswer, WorkerCommand } from './worker-command.ts';
export { HostedModelRecord, WorkerHolding, WorkerRecord, WorkerState } from './worker-record.ts';
