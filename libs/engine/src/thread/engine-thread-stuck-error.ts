import { EngineThreadError } from './engine-thread-error.ts';

/** A thread that was to be ended while it loads is inside a native call: it is there, with its memory, until that returns. */
export class EngineThreadStuckError extends EngineThreadError {
  constructor(reason: EngineThreadError) {
    super(`${reason.message}; it is inside a native call that does not return`, reason);
  }
}
