import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { redisTargetOf, type UpSettings } from '#config';
import { checkGivenRedis } from '../redis/check-given-redis.ts';
import { obtainRedis } from '../redis/obtain-redis.ts';
import { OwnRedis } from '../redis/own-redis.ts';
import { StartError } from '../start-error.ts';
import { OrphanGuard } from '../supervise/orphan-guard.ts';
import { SupervisedProcess } from '../supervise/supervised-process.ts';
import { devKey } from './dev-key.ts';
import type { ReadyFacts } from './ready-block.ts';
import { tunedText, type UpPlan } from './up-plan.ts';

export interface StackOptions {
  readonly settings: UpSettings;
  readonly plan: UpPlan;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onProgress: (message: string) => void;
  /** Something that ran is gone for good; the stack is to be stopped. */
  readonly onFailure: (error: StartError) => void;
}

/** Within 5 s all in all: the processes get 3.5 s, then Redis gets 1 s. */
const PROCESS_STOP_MS = 3_500;
const REDIS_STOP_MS = 1_000;

/** Redis, one API and one worker on this machine, started in this order and stopped in the reverse one. */
export class Stack {
  readonly #options: StackOptions;
  readonly #guard = OrphanGuard.start();
  #redis: OwnRedis | null = null;
  #redisStart: Promise<OwnRedis> | null = null;
  #processes: SupervisedProcess[] = [];
  #stopped: Promise<void> | null = null;

  constructor(options: StackOptions) {
    this.#options = options;
  }

  /** @throws StartError when a part cannot be started; `stop` still has to be called */
  async start(): Promise<Omit<ReadyFacts, 'tookMs'>> {
    const { settings, plan, onProgress } = this.#options;
    mkdirSync(plan.logFolder, { recursive: true });
    const key = devKey(plan.stateFolder, settings.MILLRACE_DEV_KEY);
    const redisUrl = await this.#startRedis();
    this.#refuseWhenStopped();
    const shared = {
      REDIS_URL: redisUrl,
      // The password of a Redis that was given is for that one.
      ...(this.#redis !== null && { REDIS_PASSWORD: '' }),
      MILLRACE_RELAY_TOKEN: randomBytes(24).toString('base64url'),
      MILLRACE_GRACE_MS: String(PROCESS_STOP_MS - 1_000),
    };
    const api = this.#process('api', {
      ...shared,
      MILLRACE_DEV_KEY: key,
      MILLRACE_HTTP_HOST: plan.httpHost,
      MILLRACE_HTTP_PORT: String(plan.httpPort),
      MILLRACE_MANAGEMENT_PORT: String(plan.managementPort),
    });
    const worker = this.#process('worker', {
      ...shared,
      MILLRACE_MODEL: plan.models,
      ...(plan.tuned !== null && { MILLRACE_TUNED_FILE: plan.tuned.file }),
    });
    onProgress('Starting the API and loading the model …');
    const [apiReady, workerReady] = await Promise.all([api.start(), worker.start()]);
    const url = apiReady.url ?? `http://${plan.httpHost}:${plan.httpPort}`;
    // Clients keep using the address that was printed, also after a restart of the API.
    api.keep({ MILLRACE_HTTP_PORT: new URL(url).port });
    return {
      url,
      key,
      keyGiven: settings.MILLRACE_DEV_KEY !== undefined,
      models: workerReady.models ?? [],
      managementUrl: apiReady.managementUrl ?? `http://${plan.httpHost}:${plan.managementPort}`,
      redis:
        this.#redis === null
          ? `${new URL(redisUrl).host} (REDIS_URL)`
          : `${new URL(redisUrl).host} (own, data in ${plan.stateFolder})`,
      tuned: plan.tuned === null ? null : tunedText(plan.tuned),
      logFolder: plan.logFolder,
    };
  }

  /** Stops everything that was started, within 5 s; may be called at any time and more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  /** A Ctrl-C while something is being waited for must not let the next part start. */
  #refuseWhenStopped(): void {
    if (this.#stopped !== null) throw new StartError('Stopped before everything was started.');
  }

  async #stopAll(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop(PROCESS_STOP_MS)));
    const redis = await this.#redisStart?.catch(() => null);
    await redis?.stop(REDIS_STOP_MS);
    this.#guard[Symbol.dispose]();
  }

  async #startRedis(): Promise<string> {
    const { settings, plan, environment, onProgress, onFailure } = this.#options;
    if (settings.REDIS_URL !== undefined) {
      const risks = await checkGivenRedis(redisTargetOf({ ...settings, REDIS_URL: settings.REDIS_URL }));
      for (const risk of risks) onProgress(`Careful with the Redis of REDIS_URL: ${risk}.`);
      return settings.REDIS_URL;
    }
    const program = await obtainRedis({
      path: environment.PATH ?? '',
      platform: process.platform,
      isRoot: process.getuid?.() === 0,
      onProgress,
    });
    onProgress(`Starting Redis (${program.path}) …`);
    this.#refuseWhenStopped();
    this.#redisStart = OwnRedis.start({
      program,
      dataFolder: join(plan.stateFolder, 'redis'),
      logFile: join(plan.logFolder, 'redis.log'),
      guard: this.#guard,
      onDeath: onFailure,
    });
    this.#redis = await this.#redisStart;
    return this.#redis.url;
  }

  #process(name: 'api' | 'worker', settings: Record<string, string>): SupervisedProcess {
    const { plan, environment, onProgress, onFailure } = this.#options;
    const extension = extname(import.meta.url);
    const supervised = new SupervisedProcess({
      name,
      entry: fileURLToPath(new URL(`../../../${name}/src/main${extension}`, import.meta.url)),
      environment: { ...withoutFilesOf(settings, environment), ...settings },
      logFile: join(plan.logFolder, `${name}.log`),
      guard: this.#guard,
      onProgress: (message) => onProgress(`  ${name}: ${message}`),
      onNotice: onProgress,
      onGiveUp: onFailure,
    });
    this.#processes.push(supervised);
    return supervised;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What `up` gives its processes itself, they are not to read from a file too. */
function withoutFilesOf(settings: Environment, environment: Environment): Environment {
  const given = new Set(Object.keys(settings).map((name) => `${name}_FILE`));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !given.has(name)));
}
