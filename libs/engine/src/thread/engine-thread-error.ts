import { MillraceError } from '#contracts/ports';

/** The engine's thread could not start, or ended by itself. Its requests are lost; a new thread must be started. */
export class EngineThreadError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('engine_failed', message, { cause });
  }
}
