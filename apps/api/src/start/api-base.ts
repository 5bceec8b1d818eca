import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type ApiSettings, redisTargetOf, unknownSettings, unknownSettingText } from '#config';
import {
  createLogger,
  exposeRedis,
  type Logger,
  Metrics,
  releaseVersion,
  startTracing,
  type Tracing,
  tracingOptionsOf,
} from '#observability';
import { migrateKeys, RedisHealth, redisFitness } from '#queue';
import { RelayServer, type RelayServerTls } from '#relay';
import { exposeRelay } from '../observation/expose-relay.ts';
import { connectRedisOrExplain } from '../process/connect-redis-or-explain.ts';

const RELAY_CLOSE_MS = 200;

/** What every part of a replica stands on. */
export interface ApiBase {
  readonly settings: ApiSettings;
  readonly replicaId: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly redis: Redis;
  readonly redisHealth: RedisHealth;
  readonly relay: RelayServer;
  /** Whether workers can still reach the relay. */
  readonly relayOpen: () => boolean;
}

/** @throws StartError, KeyVersionError, RelayListenError, RelayTlsError */
export async function openBase(settings: ApiSettings, opened: AsyncDisposableStack): Promise<ApiBase> {
  const logger = createLogger('api', settings.MILLRACE_LOG_LEVEL);
  const unknown = unknownSettings().map(unknownSettingText);
  if (unknown.length > 0) logger.warn({ unknown }, 'variables are set that nothing reads');
  const metrics = new Metrics({ process: 'api', version: releaseVersion() });
  const replicaId = `api-${randomUUID()}`;
  const identity = { serviceName: 'millrace-api', serviceVersion: releaseVersion(), instanceId: replicaId };
  const tracing = await startTracing(tracingOptionsOf(settings, identity));
  opened.defer(() => tracing.close());

  const redis = await connectRedisOrExplain(redisTargetOf(settings));
  opened.defer(() => redis.disconnect());
  const { risks } = await redisFitness(redis);
  if (risks.length > 0) logger.warn({ risks }, 'Redis may lose what it is given');
  await migrateKeys(redis);
  const redisHealth = new RedisHealth(redis);
  exposeRedis(
    metrics,
    () => redisHealth.pingMs(),
    () => redisHealth.reconnects,
  );

  const relay = await RelayServer.listen({
    host: settings.MILLRACE_RELAY_HOST,
    port: settings.MILLRACE_RELAY_PORT,
    advertisedHost: settings.MILLRACE_RELAY_ADVERTISED_HOST,
    replicaId,
    makesOffers: settings.MILLRACE_OFFERS,
    token: settings.MILLRACE_RELAY_TOKEN,
    tls: relayTlsOf(settings),
    onWorker: (change) => logger.info({ ...change }, 'worker stream'),
  });
  exposeRelay(metrics, () => relay.stats());
  let relayOpen = true;
  opened.defer(() => {
    relayOpen = false;
    return relay.close(RELAY_CLOSE_MS);
  });
  return { settings, replicaId, logger, metrics, tracing, redis, redisHealth, relay, relayOpen: () => relayOpen };
}

function relayTlsOf(settings: ApiSettings): RelayServerTls | undefined {
  const { MILLRACE_RELAY_CERT: certificate, MILLRACE_RELAY_KEY: key, MILLRACE_RELAY_CA: clientCa } = settings;
  return certificate === undefined || key === undefined ? undefined : { certificate, key, clientCa };
}
