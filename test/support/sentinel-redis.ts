import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { FaultProxy } from './fault-proxy.ts';
import { freePort } from './free-port.ts';
import { RedisServer, redisBinary } from './redis-server.ts';

const MASTER = 'millrace';

/**
 * A Redis with a replica, and a Sentinel that makes the replica the master within about a second of the master's end.
 *
 * @example
 * await using redis = await SentinelRedis.start();
 * connectRedis(redis.url, 'producer');
 * redis.stopReplicating(); // what is written from now on is lost
 * await redis.failOver();
 */
export class SentinelRedis implements AsyncDisposable {
  /** What REDIS_URL has to be. */
  readonly url: string;
  readonly #master: RedisServer;
  readonly #replica: RedisServer;
  readonly #replication: FaultProxy;
  readonly #sentinel: ChildProcess;
  readonly #folder: string;

  private constructor(
    port: number,
    servers: { master: RedisServer; replica: RedisServer; replication: FaultProxy; sentinel: ChildProcess },
    folder: string,
  ) {
    this.url = `redis://127.0.0.1:${port}/0?master=${MASTER}`;
    this.#master = servers.master;
    this.#replica = servers.replica;
    this.#replication = servers.replication;
    this.#sentinel = servers.sentinel;
    this.#folder = folder;
  }

  static async start(): Promise<SentinelRedis> {
    const master = await RedisServer.start();
    const replica = await RedisServer.start();
    const replication = await FaultProxy.to(master.port);
    await withClient(replica.port, async (client) => {
      await client.replicaof('127.0.0.1', replication.port);
      while (!(await client.info('replication')).includes('master_link_status:up')) await pause(50);
    });
    // Its address is the proxy's for the replica, so the master says itself where it is.
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'millrace-sentinel-'));
    const file = join(folder, 'sentinel.conf');
    await writeFile(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 1`,
        `sentinel down-after-milliseconds ${MASTER} 500`,
        `sentinel failover-timeout ${MASTER} 5000`,
        '',
      ].join('\n'),
    );
    const sentinel = spawn(redisBinary(), [file, '--sentinel'], { stdio: 'ignore' });
    const redis = new SentinelRedis(port, { master, replica, replication, sentinel }, folder);
    await withClient(port, async (client) => {
      while (!(await replicasOf(client)).includes(String(replica.port))) await pause(50);
    });
    return redis;
  }

  /** What is written from now on never reaches the replica. */
  stopReplicating(): void {
    this.#replication.hold();
  }

  /** Ends the master. @returns when the replica takes writes */
  async failOver(): Promise<void> {
    await this.#master.kill();
    await withClient(this.#replica.port, async (client) => {
      while (!(await client.info('replication')).includes('role:master')) await pause(50);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#sentinel.once('exit', resolve));
    this.#sentinel.kill('SIGKILL');
    await ended;
    for (const part of [this.#replica, this.#replication, this.#master]) await part[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function replicasOf(sentinel: Redis): Promise<string> {
  return JSON.stringify(await sentinel.call('SENTINEL', 'REPLICAS', MASTER).catch(() => []));
}

async function withClient(port: number, act: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => {});
  try {
    await act(client);
  } finally {
    client.disconnect();
  }
}
