/**
 * Runs many requests on one model at a time: scheduling, sampling, stop conditions and text, on any `ModelRunner`.
 *
 * @module
 * @example
 * import { Engine } from '#engine';
 * const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 256 });
 * engine.onStep(({ deltas }) => deltas.forEach((delta) => process.stdout.write(delta.text)));
 * engine.submit(request);
 * await engine.runUntilIdle();
 */
export type { TokenConstraint, TokenConstraints } from './constraints/token-constraint.ts';
export { Engine } from './engine.ts';
export type { EngineOptions } from './engine-options.ts';
export type { EnginePort } from './engine-port.ts';
export type { EngineRequest, ResumedChoice } from './engine-request.ts';
export { LikelyTokens } from './speculation/likely-tokens.ts';
export type { TokenProposer } from './speculation/token-proposer.ts';
export type {
  EngineStats,
  FinishReason,
  RequestFailure,
  SequenceDelta,
  SequenceFinish,
  SequenceSeat,
  StepOutput,
  TokenLogprob,
} from './step-output.ts';
export { type EngineLoss, EngineSupervisor, type EngineSupervisorOptions } from './thread/engine-supervisor.ts';
export { EngineThread, type EngineThreadOptions } from './thread/engine-thread.ts';
export { EngineThreadError } from './thread/engine-thread-error.ts';
export { serveEngine } from './thread/serve-engine.ts';
export type { EngineReady } from './thread/thread-messages.ts';
export { warmUpEngine } from './warm-up-engine.ts';
