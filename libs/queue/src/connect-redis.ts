import { Redis, type RedisOptions } from 'ioredis';
import { corkTurns } from './cork-turns.ts';
import { RedisPulse } from './redis-pulse.ts';
import { redisTarget } from './redis-target.ts';
import { letCommandsDieYoung } from './short-lived-commands.ts';

letCommandsDieYoung();

/** `producer`: fails fast, for whoever has a caller waiting. `consumer`: tries for ever, for whoever waits for work. */
export type RedisRole = 'producer' | 'consumer';

export interface ConnectRedisOptions {
  /** Hears of every connection error; ioredis reconnects by itself. */
  readonly onError?: (error: Error) => void;
  /** PEM of the authorities that may have signed a `rediss://` server's certificate; the system's when unset. */
  readonly ca?: string | undefined;
}

/** How long a producer waits for one answer of Redis, in ms. */
export const COMMAND_TIMEOUT_MS = 2_000;

/**
 * Opens a connection that heals itself: reconnects start after 50 ms and stay at one a second.
 * A producer's commands fail at once while Redis is away and after 2 s when it does not answer; a consumer's wait.
 * With `?master=name` in the URL its host is a Sentinel (`redisTarget`).
 */
export function connectRedis(url: string, role: RedisRole, options: ConnectRedisOptions = {}): Redis {
  const retryStrategy = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt - 1, 10), 1_000);
  const tls = options.ca !== undefined && url.startsWith('rediss:') ? { tls: { ca: options.ca } } : {};
  const shared: RedisOptions = { ...tls, retryStrategy, reconnectOnError: isOfReplica };
  const behaviour: RedisOptions =
    role === 'producer'
      ? {
          ...shared,
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false,
          maxRetriesPerRequest: 0,
          connectTimeout: COMMAND_TIMEOUT_MS,
          commandTimeout: COMMAND_TIMEOUT_MS,
        }
      : { ...shared, maxRetriesPerRequest: null, connectTimeout: 5_000 };
  const target = redisTarget(url);
  const redis = 'url' in target ? new Redis(target.url, behaviour) : new Redis({ ...target.sentinel, ...behaviour });
  if (role === 'producer') {
    RedisPulse.watch(redis);
    corkTurns(redis);
  }
  // Without a listener ioredis prints the error itself.
  redis.on('error', (error: Error) => options.onError?.(error));
  return redis;
}

/** The server was made a replica, or is one yet: connecting anew leads to the master. */
function isOfReplica(error: Error): boolean {
  return error.message.startsWith('READONLY');
}
