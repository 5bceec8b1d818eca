import type { FastifyRequest } from 'fastify';
import type { Tracing } from '#observability';
import { dialectAt } from '../dialects/dialects.ts';
import type { ApiMetrics } from './api-metrics.ts';
import { ObservedRequest } from './observed-request.ts';
import type { RequestObserver } from './request-observer.ts';
import { traceparentOf } from './traceparent.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** On the routes of dialects; null on all others. */
    observer: RequestObserver | null;
  }
}

/** Gives each request that arrives its observer. */
export class RequestObservers {
  readonly #metrics: ApiMetrics;
  readonly #tracing: Tracing;
  readonly #withContent: boolean;

  /** @param withContent whether prompts and answers may stand in spans */
  constructor(metrics: ApiMetrics, tracing: Tracing, withContent: boolean) {
    this.#withContent = withContent;
    this.#metrics = metrics;
    this.#tracing = tracing;
  }

  arrived(request: FastifyRequest): void {
    const { method, headers } = request;
    const route = request.routeOptions.url;
    request.observer =
      route !== undefined && method === 'POST' && dialectAt(route) !== null
        ? new ObservedRequest(
            this.#metrics,
            this.#tracing,
            { method, route, traceparent: traceparentOf(headers) },
            this.#withContent,
          )
        : null;
  }

  responded(request: FastifyRequest, status: number): void {
    const { observer, method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    if (observer === null) this.#metrics.http.child({ method, route, status: String(status) }).inc();
    else observer.responded(status);
  }
}
