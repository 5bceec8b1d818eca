import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller-of.ts';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { RequestContext } from '../generate/request-context.ts';
import { UNOBSERVED } from '../observation/unobserved.ts';
import { admissionHeaders } from './admission-headers.ts';
import { longestWaitOf, requestTimeoutOf } from './longest-wait.ts';
import { resumeModeOf } from './resume-mode.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the authentication hook on every route that needs a key. */
    tenant: TenantContext | null;
    /** Unique here, unlike `id`, which a client may have chosen. */
    generateId: string;
    /** The caller's name for whom it asks (`user`), for the log. */
    endUser: string | null;
    /** The caller's notes on the request (`metadata`), for the log. */
    metadata: Readonly<Record<string, string>> | null;
  }
}

/** OpenAI's clients count their retries, and send 0 with the first try. */
function refusedBefore(retryCount: string | string[] | undefined): boolean | null {
  return typeof retryCount === 'string' && /^\d{1,9}$/.test(retryCount) ? Number(retryCount) > 0 : null;
}

/** What the life of a request needs to know of its HTTP side. */
export function requestContext(request: FastifyRequest, reply: FastifyReply): RequestContext {
  const tenant = callerOf(request);
  const timeoutMs = requestTimeoutOf(request.headers);
  const gone = new AbortController();
  const { raw } = reply;
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  if (raw.destroyed) gone.abort();
  return {
    requestId: request.generateId,
    alias: request.id === request.headers['x-request-id'] ? request.id : null,
    tenant,
    observer: request.observer ?? UNOBSERVED,
    longestWaitMs: longestWaitOf(request.headers),
    endsAtMs: timeoutMs === null ? null : performance.now() + timeoutMs,
    resumeBy: resumeModeOf(request.headers),
    refusedBefore: refusedBefore(request.headers['x-stainless-retry-count']),
    tell: (standing) => void reply.headers(admissionHeaders(standing)),
    keep: null,
    whole: false,
    gone: gone.signal,
  };
}
