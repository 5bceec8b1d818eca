import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import type { Logger } from '#observability';
import { LOGGER } from '../api-tokens.ts';
import { dialectAt } from '../dialects/dialects.ts';
import { OPENAI_CHAT } from '../dialects/openai-chat/openai-chat-dialect.ts';
import { errorHeaders } from './error-headers.ts';
import { missingRouteMessage } from './missing-route.ts';
import { toMillraceError } from './to-millrace-error.ts';

/** Turns whatever was thrown into the status and error body of the route's dialect; OpenAI's on routes without one. */
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
    // What a route itself does not find is another thing than a route that there is not.
    const error = thrown instanceof MillraceError ? thrown : this.#explain(toMillraceError(thrown), request);
    if (error.httpStatus >= 500 && error.code !== 'no_workers') {
      this.#logger.error(
        { requestId: request.id, err: error.code === 'internal_error' ? thrown : error },
        'request failed',
      );
    }
    request.observer?.refused(error);
    if (reply.sent) return;
    if (reply.raw.headersSent || reply.raw.destroyed) {
      reply.hijack();
      return;
    }
    const dialect = dialectAt(pathOf(request)) ?? OPENAI_CHAT;
    // A connection that is closed while a client still sends makes it see a broken pipe instead of the status. Node throws
    // the rest of such a body away as it comes, for as long as a request may take.
    if (error.code === 'request_too_large') reply.removeHeader('connection');
    if (error.code === 'invalid_api_key') reply.header('www-authenticate', 'Bearer');
    if (error.code === 'method_not_allowed') reply.header('allow', methodsOf(request).join(', '));
    reply.status(dialect.statusOf(error)).headers(errorHeaders(error)).send(dialect.errorBody(error));
  }

  /** A route that exists for another method is not missing; what clients look for elsewhere is told. */
  #explain(error: MillraceError, request: FastifyRequest): MillraceError {
    if (error.code !== 'not_found') return error;
    const allowed = methodsOf(request);
    if (allowed.length === 0) return new MillraceError('not_found', missingRouteMessage(pathOf(request)));
    if (allowed.some((method) => method === request.method)) return error;
    return new MillraceError(
      'method_not_allowed',
      `${pathOf(request)} takes ${allowed.join(', ')}, not ${request.method}.`,
    );
  }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/';
}

function methodsOf(request: FastifyRequest): readonly string[] {
  return request.server.routedMethods.at(pathOf(request));
}
