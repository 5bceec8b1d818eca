import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface RedisServerOptions {
  /** Keeps the data over `kill` and `restart` in an append-only file; off by default. */
  readonly append?: boolean;
  /** When that file is synced: with `everysec` Redis goes on when its disk is full, with `always` it ends. `always` by default. */
  readonly fsync?: 'always' | 'everysec';
  /** Runs in cluster mode, without slots; off by default. */
  readonly cluster?: boolean;
  /** More of redis-server's own arguments. */
  readonly arguments?: readonly string[];
}

/** Those that run: a process that exits without disposing of them leaves none behind. */
const running = new Set<RedisServer>();
process.on('exit', () => {
  for (const server of running) server.endAtOnce();
});

/**
 * A real Redis (or Valkey) server of its own for a test: private port on loopback, private folder, killed by its pid.
 *
 * @example
 * await using redis = await RedisServer.start();
 * const client = connectRedis(redis.url, 'producer');
 */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #folder: string;
  readonly #append: boolean;
  readonly #fsync: string;
  readonly #cluster: boolean;
  readonly #arguments: readonly string[];
  #process: ChildProcess | null = null;

  private constructor(port: number, folder: string, options: RedisServerOptions) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#append = options.append ?? false;
    this.#fsync = options.fsync ?? 'always';
    this.#cluster = options.cluster ?? false;
    this.#arguments = options.arguments ?? [];
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
    const server = new RedisServer(await freePort(), folder, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the server again on the same port after `kill`. */
  async restart(): Promise<void> {
    const persistence = this.#append ? ['--appendonly', 'yes', '--appendfsync', this.#fsync] : ['--appendonly', 'no'];
    // A write past the limit of `fillDisk` shall fail, as on a full disk, and not end the server with a signal.
    const ignoringLimit = ['-c', 'trap "" XFSZ; exec "$0" "$@"', redisBinary()];
    const server = spawn(
      '/bin/sh',
      [
        ...ignoringLimit,
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '', ...persistence],
        ...(this.#cluster ? ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] : []),
        ...this.#arguments,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#process = server;
    running.add(this);
    let log = '';
    server.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    server.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (server.exitCode !== null) throw new Error(`redis-server on port ${this.port} ended at once:\n${log}`);
      if (await answersPing(this.port)) return;
      await sleep(25);
    }
    throw new Error(`redis-server on port ${this.port} did not answer within 5 s:\n${log}`);
  }

  /** Ends the server the hard way, as an outage does. */
  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = null;
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }

  /** For a process that waits for nothing any more. */
  endAtOnce(): void {
    this.#process?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Stops it where it stands: it keeps its connections and answers nobody. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** From now on its append-only file can not grow, until `freeDisk`. Linux only. */
  fillDisk(): void {
    this.#limitFiles('1');
  }

  freeDisk(): void {
    this.#limitFiles('unlimited');
  }

  #limitFiles(bytes: string): void {
    execFileSync('prlimit', ['--pid', String(this.#process?.pid), `--fsize=${bytes}:unlimited`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    running.delete(this);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export function redisBinary(): string {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  throw new Error(
    'Neither redis-server nor valkey-server is on PATH: install one (Debian: apt-get install redis-server).',
  );
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.once('error', () => finish(false));
    socket.setTimeout(1_000, () => finish(false));
  });
}
