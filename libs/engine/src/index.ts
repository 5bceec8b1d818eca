export type { EnginePort } from './engine-port.ts';
export type { EngineRequest } from './engine-request.ts';
export type {
  EngineStats,
  FinishReason,
  RequestFailure,
  SequenceDelta,
  SequenceFinish,
  StepOutput,
  TokenLogprob,
} from './step-output.ts';
