import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import type { Logger } from '#observability';
import { LOGGER } from '../api-tokens.ts';
import { errorBody } from '../dialects/openai-chat/error-body.ts';
import { errorHeaders } from './error-headers.ts';
import { toMillraceError } from './to-millrace-error.ts';

const METHODS = ['GET', 'POST'] as const;

/** Turns whatever was thrown into one status and OpenAI's error body. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #logger: Logger;

  constructor(@Inject(LOGGER) logger: Logger) {
    this.#logger = logger;
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = this.#explain(toMillraceError(thrown), request);
    if (error.httpStatus >= 500 && error.code !== 'no_workers') {
      this.#logger.error(
        { requestId: request.id, err: error.code === 'internal_error' ? thrown : error },
        'request failed',
      );
    }
    if (reply.sent) return;
    if (reply.raw.headersSent || reply.raw.destroyed) {
      reply.hijack();
      return;
    }
    const challenge = error.code === 'invalid_api_key' ? { 'www-authenticate': 'Bearer' } : {};
    reply
      .status(error.httpStatus)
      .headers({ ...errorHeaders(error), ...challenge })
      .send(errorBody(error));
  }

  /** A route that exists for another method is not missing. */
  #explain(error: MillraceError, request: FastifyRequest): MillraceError {
    if (error.code !== 'not_found') return error;
    const path = request.url.split('?', 1)[0] ?? '/';
    const allowed = METHODS.filter((method) => request.server.hasRoute({ method, url: path }));
    if (allowed.length === 0) return error;
    return new MillraceError('method_not_allowed', `${path} takes ${allowed.join(', ')}, not ${request.method}.`);
  }
}
