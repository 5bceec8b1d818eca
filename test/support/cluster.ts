import { FaultProxy } from './fault-proxy.ts';
import { ProductProcess, TEST_KEY } from './product-process.ts';
import { RedisServer, type RedisServerOptions } from './redis-server.ts';

export const RELAY_TOKEN = 'test-relay-token-0123456789';

/**
 * Where a replica's relay listens, and where it says it does: the same port of another loopback address, on which a proxy
 * can stand. Only Linux has more than one for IPv4.
 */
const RELAY_HOSTS =
  process.platform === 'linux' ? { own: '127.0.0.1', told: '127.0.0.2' } : { own: '::1', told: '127.0.0.1' };

export interface ClusterOptions {
  readonly modelFolder: string;
  /** Settings of every worker and every API. */
  readonly worker?: Readonly<Record<string, string>>;
  readonly api?: Readonly<Record<string, string>>;
  /** 1 by default. */
  readonly workers?: number;
  /** 1 by default. */
  readonly apis?: number;
  readonly redis?: RedisServerOptions;
  /** Puts a `FaultProxy` before Redis and one before the relay of each API; none by default. */
  readonly faultProxies?: boolean;
}

/**
 * A real Redis, API replicas and workers, as separate processes on free loopback ports. Members can be killed, frozen,
 * stopped and replaced one by one; all of them end with the cluster.
 *
 * @example
 * await using cluster = await Cluster.start({ modelFolder, apis: 2, workers: 3 });
 * const answer = await cluster.post({ model: 'tiny-llama', messages });
 */
export class Cluster implements AsyncDisposable {
  readonly redis: RedisServer;
  /** Between Redis and everybody else, where the cluster has proxies. */
  readonly redisProxy: FaultProxy | null;
  /** Of the members that were started, those that were not taken out. */
  readonly apis: ProductProcess[] = [];
  readonly workers: ProductProcess[] = [];
  readonly #relayProxies = new Map<ProductProcess, FaultProxy>();
  readonly #options: ClusterOptions;
  readonly #stack = new AsyncDisposableStack();

  private constructor(redis: RedisServer, redisProxy: FaultProxy | null, options: ClusterOptions) {
    this.redis = this.#stack.use(redis);
    this.redisProxy = this.#stack.use(redisProxy);
    this.#options = options;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const redis = await RedisServer.start(options.redis);
    const redisProxy = options.faultProxies ? await FaultProxy.to(redis.port) : null;
    const cluster = new Cluster(redis, redisProxy, options);
    try {
      const { apis = 1, workers = 1 } = options;
      await Promise.all([
        ...Array.from({ length: apis }, () => cluster.addApi()),
        ...Array.from({ length: workers }, () => cluster.addWorker()),
      ]);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The first API. */
  get api(): ProductProcess {
    const [api] = this.apis;
    if (api === undefined) throw new Error('the cluster has no API');
    return api;
  }

  /** The first API's address for clients. */
  get url(): string {
    return this.api.url;
  }

  /** Redis itself, past any proxy: for a test that looks into it. */
  get redisUrl(): string {
    return this.redis.url;
  }

  /** What all members of a kind printed, those that have ended included. */
  output(app: 'api' | 'worker'): string {
    return this.#started
      .filter((member) => member.app === app)
      .map((member) => member.output)
      .join('');
  }

  readonly #started: ProductProcess[] = [];

  /** Starts one more API and waits until it serves. */
  async addApi(settings: Readonly<Record<string, string>> = {}): Promise<ProductProcess> {
    const hosts = { MILLRACE_RELAY_HOST: RELAY_HOSTS.own, MILLRACE_RELAY_ADVERTISED_HOST: RELAY_HOSTS.told };
    const proxied = this.#options.faultProxies ? hosts : {};
    const api = await this.#add('api', { ...proxied, ...this.#options.api, ...settings });
    if (this.#options.faultProxies) {
      const port = Number(api.relayAddress.split(':').at(-1));
      const place = { targetHost: RELAY_HOSTS.own, host: RELAY_HOSTS.told, port };
      this.#relayProxies.set(api, this.#stack.use(await FaultProxy.to(port, place)));
    }
    this.apis.push(api);
    return api;
  }

  /** Starts one more worker and waits until it takes jobs. */
  async addWorker(settings: Readonly<Record<string, string>> = {}): Promise<ProductProcess> {
    const { modelFolder, worker: all } = this.#options;
    const worker = await this.#add('worker', { MILLRACE_MODEL: modelFolder, ...all, ...settings });
    this.workers.push(worker);
    return worker;
  }

  /** The proxy between an API's relay and all workers. */
  relayProxyOf(api: ProductProcess): FaultProxy {
    const proxy = this.#relayProxies.get(api);
    if (proxy === undefined) throw new Error('the cluster was started without faultProxies');
    return proxy;
  }

  /** The worker that runs something; waits for one. */
  async busyWorker(): Promise<ProductProcess> {
    for (let attempt = 0; attempt < 500; attempt++) {
      for (const worker of this.workers) if ((await worker.stats()).engine.running > 0) return worker;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('no worker runs anything');
  }

  /** Takes a member out of `workers` or `apis`, for a test that ends it. */
  takeOut(member: ProductProcess): void {
    const members = member.app === 'api' ? this.apis : this.workers;
    members.splice(members.indexOf(member), 1);
  }

  /** A chat completion at the first API, or at the one given. */
  post(body: unknown, init: RequestInit = {}, api: ProductProcess = this.api): Promise<Response> {
    return fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(body),
      ...init,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TEST_KEY}`, ...init.headers },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // All at once, and before Redis and the proxies: they would only wait for one another.
    await Promise.all(this.#started.map((member) => member[Symbol.asyncDispose]()));
    await this.#stack.disposeAsync();
  }

  async #add(app: 'api' | 'worker', settings: Readonly<Record<string, string>>): Promise<ProductProcess> {
    const port = this.redisProxy?.port ?? this.redis.port;
    const member = ProductProcess.spawn(app, {
      REDIS_URL: `redis://127.0.0.1:${port}`,
      MILLRACE_RELAY_TOKEN: RELAY_TOKEN,
      MILLRACE_LOG_LEVEL: 'warn',
      ...settings,
    });
    // Before it serves: a cluster whose start fails ends those that are still starting, too.
    this.#started.push(member);
    await member.serving();
    return member;
  }
}
