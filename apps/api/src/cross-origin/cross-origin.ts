import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const METHODS = 'GET, POST, PUT, PATCH, DELETE';
/** How long a browser may remember a preflight's answer: two hours is the most that Chromium does. */
const PREFLIGHT_SECONDS = 7_200;
/** Headers of answers that a page's scripts may read; the rest of what this server sends is no secret, but nothing to a page. */
const EXPOSED_HEADERS = [
  'x-request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'x-queue-depth',
  'x-estimated-wait-ms',
  'x-allowance-credits',
  'x-allowance-remaining-credits',
  'x-allowance-renews-at',
  'idempotent-replayed',
  ...['limit', 'remaining', 'reset'].flatMap((what) => [`x-ratelimit-${what}-requests`, `x-ratelimit-${what}-tokens`]),
].join(', ');

/**
 * Lets pages of other origins call every route (Fetch Standard, CORS protocol). A preflight is answered here, since browsers
 * send it without a key. Credentials of a browser's own (cookies) are never allowed: the key is all that lets anybody in, and
 * a page has to have it. Other origins are answered as if there were no such protocol, and their browsers keep the answer from them.
 *
 * @param origins as browsers send them; `*` for all
 */
export function addCrossOrigin(server: FastifyInstance, origins: readonly string[]): void {
  const allowed = new Set(origins);
  const everyone = allowed.has('*');
  server.addHook('onRequest', async (request, reply) => {
    // Caches must not give one origin's answer to another, also where the answer is a refusal.
    if (!everyone) reply.header('vary', 'origin');
    const { origin } = request.headers;
    if (origin === undefined || !(everyone || allowed.has(origin))) return;
    reply.header('access-control-allow-origin', everyone ? '*' : origin);
    reply.header('access-control-expose-headers', EXPOSED_HEADERS);
    if (isPreflight(request)) return answerPreflight(request, reply);
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

function answerPreflight({ headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const asked = headers['access-control-request-headers'];
  return reply
    .status(204)
    .removeHeader('access-control-expose-headers')
    .headers({
      'access-control-allow-methods': METHODS,
      // Named and not `*`, which leaves out `authorization`. A page may send whatever headers another client may.
      ...(typeof asked === 'string' && { 'access-control-allow-headers': asked }),
      'access-control-max-age': PREFLIGHT_SECONDS,
    })
    .send();
}
