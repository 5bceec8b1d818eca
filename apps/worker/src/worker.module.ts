import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { DueRequests, PromptAffinity, TenantAccount } from '#admission';
import type { Logger } from '#observability';
import { CardStore, connectRedis, RedisHealth, WorkerDirectory } from '#queue';
import { relayAddresses } from '#requests';
import { MillraceWorker } from './lifecycle/millrace-worker.ts';
import type { ModelReader } from './model/model-reader.ts';
import type { WorkerOptions } from './worker-options.ts';

const OPTIONS = Symbol('WorkerOptions');
const LOGGER = Symbol('Logger');
const READER = Symbol('ModelReader');
const REDIS = Symbol('Redis');

/** The composition root: who gets what. */
@Module({})
export class WorkerModule implements OnApplicationShutdown {
  readonly #redis: Redis;

  constructor(@Inject(REDIS) redis: Redis) {
    this.#redis = redis;
  }

  static for(options: WorkerOptions, logger: Logger, reader: ModelReader): DynamicModule {
    return {
      module: WorkerModule,
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: LOGGER, useValue: logger },
        { provide: READER, useValue: reader },
        {
          provide: REDIS,
          inject: [OPTIONS, LOGGER],
          useFactory: ({ redisUrl, redisCa }: WorkerOptions, log: Logger) =>
            connectRedis(redisUrl, 'producer', { ca: redisCa, onError: (error) => log.debug({ err: error }, 'Redis') }),
        },
        { provide: CardStore, inject: [REDIS], useFactory: (redis: Redis) => new CardStore(redis) },
        { provide: WorkerDirectory, inject: [REDIS], useFactory: (redis: Redis) => new WorkerDirectory(redis) },
        {
          provide: MillraceWorker,
          inject: [OPTIONS, LOGGER, READER, CardStore, WorkerDirectory, REDIS],
          useFactory: (
            workerOptions: WorkerOptions,
            workerLogger: Logger,
            modelReader: ModelReader,
            cards: CardStore,
            directory: WorkerDirectory,
            redis: Redis,
          ) =>
            new MillraceWorker({
              options: workerOptions,
              logger: workerLogger,
              reader: modelReader,
              cards,
              directory,
              connection: redis,
              relayAddresses: () => relayAddresses(redis),
              dueOf: (model: string) => new DueRequests(redis, model),
              affinityOf: (model: string) => new PromptAffinity(redis, model),
              redis: new RedisHealth(redis),
              accountOf: (tenantId) => new TenantAccount(redis, tenantId),
            }),
        },
      ],
    };
  }

  onApplicationShutdown(): void {
    this.#redis.disconnect();
  }
}
