import type { Redis } from 'ioredis';
import { RedisPulse } from './redis-pulse.ts';

/**
 * A connection to the same Redis that does nothing but listen to channels: it waits for Redis instead of failing,
 * subscribes anew after every reconnect, and is made anew when it has been silent for 5 s. `ready` tells of each of these,
 * since notices were missed meanwhile.
 * @param redis whose settings it takes over, however they are for commands
 */
export function subscriberOf(redis: Redis): Redis {
  const subscriber = redis.duplicate({
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    commandTimeout: undefined,
    autoResubscribe: true,
    // A subscription that was on its way when the connection was lost is not among those that are made anew.
    autoResendUnfulfilledCommands: true,
  });
  subscriber.on('error', () => {});
  RedisPulse.watch(subscriber);
  return subscriber;
}
