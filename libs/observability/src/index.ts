/**
 * What every process uses to be seen from outside: the logger.
 *
 * @module
 * @example
 * import { createLogger } from '#observability';
 * const logger = createLogger('api', 'info');
 * logger.info({ requestId: 'request-1', promptTokens: 12 }, 'request accepted');
 */
export type { Logger } from 'pino';
export { createLogger } from './create-logger.ts';
