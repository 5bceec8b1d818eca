import type { EngineRequest } from './engine-request.ts';
import type { RequestFailure } from './step-output.ts';

export function failureOf(input: EngineRequest, message: string): RequestFailure {
  return { requestId: input.requestId, epoch: input.epoch, code: 'engine_failed', message };
}

/** `RunInterruptedError` of a runner, known by its name: the engine does not import runners. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.name === 'RunInterruptedError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
