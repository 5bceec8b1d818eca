import type { DecoderShape, RunnerDescription } from '#contracts';
import type { EngineRequest } from '../engine-request.ts';
import type { EngineStats, StepOutput } from '../step-output.ts';

/** What the owner learns of an engine that has loaded its model. */
export interface EngineReady {
  readonly shape: DecoderShape;
  readonly description: RunnerDescription;
  readonly slots: number;
  readonly slotTokens: number;
  /** Address of the runner's stop flag, for `interruptRun` of libs/model-runner; null where it has none. */
  readonly interruptAddress: bigint | null;
}

export type MessageToEngine =
  | { readonly type: 'submit'; readonly request: EngineRequest }
  | { readonly type: 'cancel'; readonly requestId: string; readonly epoch: number }
  /** Answered with `pong` between two steps. */
  | { readonly type: 'ping' }
  | { readonly type: 'close' };

export type MessageFromEngine =
  | { readonly type: 'ready'; readonly ready: EngineReady; readonly stats: EngineStats }
  | { readonly type: 'pong' }
  | { readonly type: 'step'; readonly output: StepOutput }
  | { readonly type: 'fatal'; readonly error: Error };
