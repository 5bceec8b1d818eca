import { EngineThreadError } from './engine-thread-error.ts';

/** A thread that was to serve hangs while it loads; it was ended. */
export class EngineStartLateError extends EngineThreadError {
  constructor(loadingMs: number, limitMs: number) {
    super(`the engine's thread has been loading for ${loadingMs} ms, and ${limitMs} ms are allowed`);
  }
}
