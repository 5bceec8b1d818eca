import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../start-error.ts';
import type { OrphanGuard } from '../supervise/orphan-guard.ts';
import { freePort } from '../up/ports.ts';
import type { RedisProgram } from './find-redis.ts';
import { answersPing } from './ping.ts';

export interface OwnRedisOptions {
  readonly program: RedisProgram;
  /** Holds the append-only file: queued work survives a restart of Millrace. */
  readonly dataFolder: string;
  readonly logFile: string;
  readonly guard: OrphanGuard;
  /** Called when the server ends without having been asked to. */
  readonly onDeath: (error: StartError) => void;
}

const START_LIMIT_MS = 60_000;

/** A Redis that Millrace started for itself on a private loopback port, and stops again. */
export class OwnRedis {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #stopping = false;

  private constructor(url: string, child: ChildProcess, options: OwnRedisOptions) {
    this.url = url;
    this.#child = child;
    const { guard, logFile, onDeath } = options;
    if (child.pid !== undefined) guard.add(child.pid);
    this.#ended = new Promise((resolve) => {
      const finish = (how: string): void => {
        if (child.pid !== undefined) guard.remove(child.pid);
        resolve();
        if (!this.#stopping) onDeath(new StartError(`Redis ${how}.\n${lastLines(logFile)}\nIts log: ${logFile}`));
      };
      child.once('error', (error) => finish(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) =>
        finish(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
      );
    });
  }

  /** @throws StartError with the end of Redis's log when it does not answer within a minute */
  static async start(options: OwnRedisOptions): Promise<OwnRedis> {
    mkdirSync(options.dataFolder, { recursive: true });
    const port = await freePort('127.0.0.1');
    const [command, args] = redisCommand(options.program, port, options.dataFolder);
    const log = openSync(options.logFile, 'a');
    const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    let death: StartError | null = null;
    let started = false;
    const redis = new OwnRedis(`redis://127.0.0.1:${port}`, child, {
      ...options,
      onDeath: (error) => {
        if (started) options.onDeath(error);
        else death = error;
      },
    });
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await answersPing('127.0.0.1', port))) {
      if (death !== null) throw death;
      if (Date.now() > deadline) {
        await redis.stop(2_000);
        throw new StartError(`Redis did not answer within ${START_LIMIT_MS / 1000} s.\n${lastLines(options.logFile)}`);
      }
      await sleep(20);
    }
    started = true;
    return redis;
  }

  /** SIGTERM lets Redis finish its append-only file; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(kill);
  }
}

function redisCommand(program: RedisProgram, port: number, dataFolder: string): [string, string[]] {
  const persistence = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];
  if (program.kind === 'server') {
    return [program.path, ['--port', String(port), '--bind', '127.0.0.1', '--dir', dataFolder, ...persistence]];
  }
  // The client stays in the foreground and passes SIGTERM on to the container, which is removed when it ends.
  const user = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`];
  const container = [
    'run',
    '--rm',
    ...user,
    '-p',
    `127.0.0.1:${port}:6379`,
    '-v',
    `${dataFolder}:/data`,
    'redis:7-alpine',
  ];
  return [program.path, [...container, 'redis-server', ...persistence]];
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-8).join('\n');
}
