import type { EngineRequest } from './engine-request.ts';
import type { EngineStats, StepOutput } from './step-output.ts';

/** The engine as its owner sees it, in the same thread or behind a worker_thread. */
export interface EnginePort {
  /** Takes the request into the waiting line. Its end comes as one `finished` per choice or as one `failed`. */
  submit(request: EngineRequest): void;
  /** Ends the request before its next token, in any phase. Unknown requests are ignored. */
  cancel(requestId: string, epoch: number): void;
  /** Called with what each step produced, or some quick ones together, in order. */
  onStep(listener: (output: StepOutput) => void): void;
  /** Called when the engine can not go on; every request it held is lost. */
  onFatal(listener: (error: Error) => void): void;
  stats(): EngineStats;
  /** Cancels what runs and frees the model. */
  close(): Promise<void>;
}
