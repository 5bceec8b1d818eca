import type { LoggerService } from '@nestjs/common';
import type { Logger } from '#observability';

/** Nest's own messages in our log; its start-up chatter only at debug. */
export class NestLogger implements LoggerService {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log(message: unknown): void {
    this.#logger.debug(String(message));
  }

  error(message: unknown, stack?: unknown): void {
    this.#logger.error({ err: message instanceof Error ? message : undefined, stack }, String(message));
  }

  warn(message: unknown): void {
    this.#logger.warn(String(message));
  }

  debug(message: unknown): void {
    this.#logger.debug(String(message));
  }

  verbose(message: unknown): void {
    this.#logger.trace(String(message));
  }
}
