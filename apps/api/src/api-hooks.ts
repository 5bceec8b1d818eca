import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import type { Logger } from '#observability';
import type { Authenticator } from './auth/authenticator.ts';
import { parseJsonBody } from './body/parse-json-body.ts';
import { addCrossOrigin } from './cross-origin/cross-origin.ts';
import type { OpenRequests } from './delivery/open-requests.ts';
import { dialectAt } from './dialects/dialects.ts';
import { RoutedMethods } from './errors/routed-methods.ts';
import type { RequestObservers } from './observation/observe-requests.ts';
import { OPEN_ROUTES } from './open-routes.ts';

/** A request id that a gateway sent is kept, so that its log and ours meet. */
const CLIENT_REQUEST_ID = /^[\w.:-]{1,128}$/;
const OWN_ID = 'req_';

/** Ids for log lines and for asking about a request; never unique, since a client may send one twice. */
export function requestIdOf(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && CLIENT_REQUEST_ID.test(given)
    ? given
    : `${OWN_ID}${randomUUID().replaceAll('-', '')}`;
}

/** @throws MillraceError unsupported_media_type for a body that would have to be unpacked first */
function refuseEncodedBody(encoding: string | undefined): void {
  if (encoding === undefined || /^\s*(identity)?\s*$/i.test(encoding)) return;
  throw new MillraceError(
    'unsupported_media_type',
    `The request body is encoded as ${JSON.stringify(encoding)} by its content-encoding. Send it as plain JSON.`,
  );
}

/**
 * What happens to every request around its controller: an id, what its browser asks about its origin, no new work while
 * stopping, the key (before a byte of the body is read), a strict JSON body, a log line at the end.
 *
 * @param origins whose pages may call from a browser; null for none but those of this server's own
 */
export function addApiHooks(
  server: FastifyInstance,
  authenticator: Authenticator,
  openRequests: OpenRequests,
  observers: RequestObservers,
  logger: Logger,
  origins: readonly string[] | null,
): void {
  server.decorate('routedMethods', RoutedMethods.of(server));
  server.decorateRequest('observer', null);
  server.decorateRequest('tenant', null);
  server.decorateRequest('generateId', '');
  server.decorateRequest('endUser', null);
  server.decorateRequest('metadata', null);
  server.addHook('onRequest', async (request, reply) => {
    observers.arrived(request);
    // The id that a client without one of its own is told leads to its request.
    request.generateId =
      request.id === request.headers['x-request-id']
        ? randomUUID().replaceAll('-', '')
        : request.id.slice(OWN_ID.length);
    reply.header('x-request-id', request.id);
  });
  if (origins !== null) addCrossOrigin(server, origins);
  server.addHook('onRequest', async (request, reply) => {
    const route = request.routeOptions.url;
    if (route === undefined || OPEN_ROUTES.has(route)) return;
    if (openRequests.leaving) reply.header('connection', 'close');
    if (openRequests.draining) {
      throw new MillraceError('unavailable', 'This server is stopping. Send the request again.', {
        retryAfterMs: 1_000,
      });
    }
    request.tenant = await authenticator.authenticate(request.headers.authorization);
    request.observer?.authenticated(request.tenant.tenantId);
    refuseEncodedBody(request.headers['content-encoding']);
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    observers.responded(request, reply.raw.statusCode);
    const record = {
      requestId: request.id,
      generateId: request.generateId,
      tenantId: request.tenant?.tenantId ?? null,
      keyId: request.tenant?.keyId ?? null,
      endUser: request.endUser,
      ...(request.metadata !== null && Object.keys(request.metadata).length > 0 && { metadata: request.metadata }),
      epoch: request.observer?.epoch ?? null,
      method: request.method,
      route,
      status: reply.raw.statusCode,
      completed: reply.raw.writableFinished,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    };
    if (OPEN_ROUTES.has(route)) logger.debug(record, 'request');
    else logger.info(record, 'request');
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      // Clients set the type for all of their requests, also for those that have no body.
      if (request.is404 || (body.length === 0 && request.method === 'DELETE')) return undefined;
      const dialect = dialectAt(request.routeOptions.url ?? '');
      return parseJsonBody(body, { trailingCommas: dialect?.trailingCommas ?? false });
    },
  );
}
