import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '#observability';
import { HealthListenError } from './health-listen-error.ts';

/** Empty when all is well, else what is not. */
export type Problems = readonly string[];

export interface HealthSources {
  /** Why the process should be restarted. */
  readonly liveness: () => Problems;
  /** Why the worker takes no jobs. */
  readonly readiness: () => Problems;
  /** @param restartWindow starts a new window for readings that cover one, after this reading */
  readonly stats: (restartWindow: boolean) => object;
  readonly metrics: Metrics;
}

/**
 * The worker's management port. `/healthz`: alive; an answer at all shows that the event loop turns. `/readyz`: takes
 * jobs. `/stats`: counters as JSON; `/stats?window=restart` also begins a new window for the event loop's delay.
 * `/metrics`: what Prometheus scrapes.
 */
export class HealthServer {
  readonly #sources: HealthSources;
  readonly #server: Server;
  #url = '';

  constructor(sources: HealthSources) {
    this.#sources = sources;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** `http://host:port`, empty before `listen`. */
  get url(): string {
    return this.#url;
  }

  /** @throws HealthListenError when the port can not be taken */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(new HealthListenError(host, port, error)));
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address() as AddressInfo;
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Null for addresses as `//`, which scanners send: what throws here would end the worker.
    const url = URL.parse(request.url ?? '/', 'http://worker');
    const { pathname = null, searchParams = new URLSearchParams() } = url ?? {};
    if (pathname === null) {
      send(response, 400, { error: 'the address can not be read' });
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, { error: `${request.method} is not allowed; use GET` });
    } else if (pathname === '/healthz') {
      sendHealth(response, this.#sources.liveness());
    } else if (pathname === '/readyz') {
      sendHealth(response, this.#sources.readiness());
    } else if (pathname === '/stats') {
      send(response, 200, this.#sources.stats(searchParams.get('window') === 'restart'));
    } else if (pathname === '/metrics') {
      void this.#sendMetrics(response);
    } else {
      send(response, 404, { error: `there is no ${pathname}; use /healthz, /readyz, /stats or /metrics` });
    }
  }

  async #sendMetrics(response: ServerResponse): Promise<void> {
    const { metrics } = this.#sources;
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' });
    response.end(text);
  }
}

function sendHealth(response: ServerResponse, problems: Problems): void {
  if (problems.length === 0) send(response, 200, { status: 'ok' });
  else send(response, 503, { status: 'unavailable', problems });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
