import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { AdmissionGate, LedgerWebhook, ModelPlaces, TenantAccount, TenantDirectory } from '#admission';
import { type ApiSettings, redisTargetOf } from '#config';
import {
  createLogger,
  exposeRedis,
  METRICS,
  Metrics,
  releaseVersion,
  startTracing,
  tracingOptionsOf,
} from '#observability';
import { askWorker, CardStore, migrateKeys, RedisHealth, WorkerDirectory } from '#queue';
import { RelayServer, type RelayServerTls } from '#relay';
import {
  askToCancel,
  CancelInbox,
  IdempotencyKeys,
  KeptAnswers,
  Notices,
  RefusedRequests,
  ReplicaPresence,
  RequestRecords,
} from '#requests';
import { LedgerAdmin } from './admin/ledger-admin.ts';
import { RefusedAdmin } from './admin/refused-admin.ts';
import { TenancyAdmin } from './admin/tenancy-admin.ts';
import { WorkersAdmin } from './admin/workers-admin.ts';
import { type ApiParts, apiModule } from './api.module.ts';
import { addApiHooks, requestIdOf } from './api-hooks.ts';
import { ApiLifecycle } from './api-lifecycle.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { TenantAuthenticator } from './auth/tenant-authenticator.ts';
import { addBoard } from './board/add-board.ts';
import { BoardQueues } from './board/board-queues.ts';
import { ModelCatalogue } from './catalogue/model-catalogue.ts';
import { CompileChecker } from './constraints/compile-checker.ts';
import { Completions } from './delivery/completions.ts';
import { OpenRequests } from './delivery/open-requests.ts';
import { SCHEMA_FIELD } from './dialects/chat-request/response-format.ts';
import { Courses } from './generate/courses.ts';
import { FAILOVER_TIMES } from './generate/failover/failover-options.ts';
import { GatedAdmission } from './generate/gated-admission.ts';
import { Generation } from './generate/generation.ts';
import { Adoption } from './generate/kept/adoption.ts';
import { AnswerDesk } from './generate/kept/answer-desk.ts';
import { AnswerFollower } from './generate/kept/answer-follower.ts';
import { Takeover } from './generate/kept/takeover.ts';
import { ModelQueues } from './generate/model-queues.ts';
import { createManagementServer } from './health/management-server.ts';
import { Readiness } from './health/readiness.ts';
import { NestLogger } from './nest-logger.ts';
import { ApiMetrics } from './observation/api-metrics.ts';
import { exposeCluster } from './observation/expose-cluster.ts';
import { exposeLedger } from './observation/expose-ledger.ts';
import { exposeRelay } from './observation/expose-relay.ts';
import { RequestObservers } from './observation/observe-requests.ts';
import { openapiDocument } from './openapi/openapi-document.ts';
import { connectRedisOrExplain } from './process/connect-redis-or-explain.ts';
import { listenOrExplain } from './process/listen.ts';
import { RenderPool } from './rendering/render-pool.ts';
import { CANCEL_PHASES, type CancelPhase } from './requests/cancel-latency.ts';
import { RequestDesk } from './requests/request-desk.ts';
import { RequestJournal } from './requests/request-journal.ts';

/** Silence on a stream never lasts longer, so that proxies do not take it for dead. */
const KEEPALIVE_MS = 5_000;
/** A body that takes longer to arrive than this is not going to. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Compiling holds up a worker's other answers once per schema: what takes longer is refused. */
const COMPILE_LIMIT_MS = 2_000;
const RELAY_CLOSE_MS = 200;
/** As a part of the lease: dead replicas are known as such well before what they hold is taken back. */
const DEAD_AFTER_LEASES = 1 / 4;

export interface RunningApi {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly relayAddress: string;
  readonly managementUrl: string;
}

/**
 * Opens everything a replica needs, in the order of dependence, and serves. What was opened is closed again, in the
 * reverse order, by `app.close()` or when a later step fails.
 * @throws StartError, KeyVersionError, RelayListenError, RelayTlsError
 */
export async function startApi(settings: ApiSettings): Promise<RunningApi> {
  await using opened = new AsyncDisposableStack();
  const logger = createLogger('api', settings.MILLRACE_LOG_LEVEL);
  const metrics = new Metrics({ process: 'api', version: releaseVersion() });
  const replicaId = `api-${randomUUID()}`;
  const identity = { serviceName: 'millrace-api', serviceVersion: releaseVersion(), instanceId: replicaId };
  const tracing = await startTracing(tracingOptionsOf(settings, identity));
  opened.defer(() => tracing.close());

  const redis = await connectRedisOrExplain(redisTargetOf(settings));
  opened.defer(() => redis.disconnect());
  await migrateKeys(redis);
  const relay = await RelayServer.listen({
    host: settings.MILLRACE_RELAY_HOST,
    port: settings.MILLRACE_RELAY_PORT,
    advertisedHost: settings.MILLRACE_RELAY_ADVERTISED_HOST,
    replicaId,
    token: settings.MILLRACE_RELAY_TOKEN,
    tls: relayTlsOf(settings),
    onWorker: (change) => logger.info({ ...change }, 'worker stream'),
  });
  const redisHealth = new RedisHealth(redis);
  exposeRedis(
    metrics,
    () => redisHealth.pingMs(),
    () => redisHealth.reconnects,
  );
  exposeRelay(metrics, () => relay.stats());
  let relayOpen = true;
  opened.defer(() => {
    relayOpen = false;
    return relay.close(RELAY_CLOSE_MS);
  });
  const queues = new ModelQueues(redis, (model) => catalogue.jobVersionOf(model));
  opened.defer(() => queues.close());
  const prompts = new RenderPool();
  opened.defer(() => prompts.close());
  const constraints = new CompileChecker({ schemaField: SCHEMA_FIELD, limitMs: COMPILE_LIMIT_MS });
  opened.defer(() => constraints.close());
  const sources = { directory: new WorkerDirectory(redis), cards: new CardStore(redis) };
  const catalogue = new ModelCatalogue(sources, prompts, logger);
  opened.defer(() => catalogue.close());
  await catalogue.start();
  exposeLedger(metrics, redis);
  exposeCluster(metrics, {
    redis,
    health: redisHealth,
    models: () =>
      catalogue
        .known()
        .map(({ card, liveWorkers, liveSlots }) => ({ model: card.model, workers: liveWorkers, slots: liveSlots })),
  });

  const tenants = new TenantDirectory(redis);
  opened.defer(() => tenants[Symbol.dispose]());
  const gate = new AdmissionGate({
    redis,
    queuePlaces: settings.MILLRACE_QUEUE_PLACES,
    leaseMs: settings.MILLRACE_LEASE_MS,
    onError: (error) => logger.warn({ err: error }, 'a call to Redis will be tried again'),
  });
  opened.use(gate);
  if (settings.MILLRACE_LEDGER_WEBHOOK_URL !== undefined && settings.MILLRACE_LEDGER_WEBHOOK_SECRET !== undefined) {
    opened.use(
      new LedgerWebhook({
        redis,
        url: settings.MILLRACE_LEDGER_WEBHOOK_URL,
        secret: settings.MILLRACE_LEDGER_WEBHOOK_SECRET,
        memberId: replicaId,
        onProblem: (error) => logger.warn({ err: error }, 'a delivery of the ledger will be tried again'),
      }),
    );
  }
  const authenticator = new TenantAuthenticator(settings.MILLRACE_DEV_KEY, tenants);

  const presence = new ReplicaPresence(redis, {
    replicaId,
    deadAfterMs: settings.MILLRACE_LEASE_MS * DEAD_AFTER_LEASES,
    onError: (error) => logger.debug({ err: error }, 'no heartbeat'),
  });
  opened.use(presence);
  await presence.beat();
  const notices = opened.use(new Notices(redis));
  const records = new RequestRecords(redis);
  const journal = new RequestJournal(records, replicaId, logger);
  opened.use(
    new CancelInbox(redis, replicaId, notices, ({ tenantId, requestId }) => journal.cancel(tenantId, requestId)),
  );
  const desk = new RequestDesk({
    records,
    isAlive: (replica) => presence.isAlive(replica),
    position: async ({ model, requestId, epoch }) => {
      const slots = catalogue.served().find(({ card }) => card.model === model)?.liveSlots ?? 0;
      return new ModelPlaces(redis, model).position(requestId, epoch, slots);
    },
    cancelHere: (tenantId, requestId) => journal.cancel(tenantId, requestId),
    cancelThere: (replica, tenantId, requestId) => askToCancel(redis, replica, { tenantId, requestId }),
    removeJob: async ({ model, requestId, epoch }) => void (await queues.of(model).remove(requestId, epoch)),
  });
  const openRequests = new OpenRequests();
  metrics.read(METRICS.openRequests, () => [{ labels: {}, value: openRequests.size }]);
  metrics.read(METRICS.settlementsPending, () => [{ labels: {}, value: gate.unfinishedCalls }]);
  metrics.read(METRICS.admissionHandles, () => [{ labels: {}, value: gate.openRequests }]);
  const observers = new RequestObservers(
    new ApiMetrics(metrics, settings.MILLRACE_METRICS_TENANTS),
    tracing,
    settings.MILLRACE_TRACE_CONTENT,
  );
  const admission = new GatedAdmission(gate, tenants);
  const cancelLatencies = metrics.family(METRICS.cancelLatency);
  for (const phase of CANCEL_PHASES) cancelLatencies.child({ phase });
  const cancelLatency = {
    observe: (phase: CancelPhase, latencyMs: number, requestId: string) => {
      cancelLatencies.child({ phase }).observe(latencyMs / 1_000);
      logger.debug({ requestId, phase, latencyMs }, 'cancelled');
    },
  };
  const kept = new KeptAnswers(redis, {
    keptMs: settings.MILLRACE_ANSWER_KEPT_MS,
    mostBytes: settings.MILLRACE_ANSWER_KEPT_BYTES,
    mostBytesPerTenant: settings.MILLRACE_TENANT_KEPT_BYTES,
  });
  const refused = new RefusedRequests(redis);
  const courses = new Courses({
    catalogue,
    relay,
    queues,
    replicaId,
    failover: {
      attempts: settings.MILLRACE_FAILOVER_ATTEMPTS,
      waitMs: settings.MILLRACE_FAILOVER_WAIT_MS,
      ...FAILOVER_TIMES,
    },
    logger,
    cancelLatency,
    journal,
    kept,
    refused,
    detachedMs: settings.MILLRACE_DETACHED_MS,
  });
  const generation = new Generation({
    catalogue,
    prompts,
    constraints,
    admission,
    relay,
    replicaId,
    courses,
    kept,
    journal,
    cancelLatency,
    resumeBy: settings.MILLRACE_RESUME,
  });
  const takeover = new Takeover({
    kept,
    admission,
    courses,
    relay,
    queues,
    refused,
    replicaId,
    mostLosses: settings.MILLRACE_FAILOVER_ATTEMPTS,
    logger,
  });
  const adoption = new Adoption({
    kept,
    presence,
    adopt: (id, found) => takeover.take(id, found),
    onAdopted: (course) => openRequests.track(course),
    stopping: () => openRequests.draining,
    lookMs: settings.MILLRACE_LEASE_MS * DEAD_AFTER_LEASES,
    logger,
  });
  opened.use(adoption);
  const follower = new AnswerFollower({
    kept,
    notices,
    adopt: (id, found) => adoption.look(id, found),
    watchMs: settings.MILLRACE_DETACHED_MS,
  });
  const answers = new AnswerDesk({
    keys: new IdempotencyKeys(redis),
    kept,
    replicaId,
    isAlive: (replica) => presence.isAlive(replica),
    chargedFor: ({ tenantId, requestId }) => new TenantAccount(redis, tenantId).chargedFor(requestId),
  });
  const completions = new Completions(generation, openRequests, answers, follower, {
    maxBufferedBytes: settings.MILLRACE_STREAM_BUFFER_BYTES,
    keepaliveMs: KEEPALIVE_MS,
  });
  const readiness = new Readiness({
    redis: async () => (redis.status === 'ready' && (await redis.ping()) === 'PONG' ? null : 'does not answer'),
    relay: () => (relayOpen ? null : 'is closed'),
    stopping: () => (openRequests.leaving ? 'the replica is stopping' : null),
  });
  const management = createManagementServer(readiness, metrics, (server) => {
    if (settings.MILLRACE_BOARD_KEY === undefined) return;
    const models = () => catalogue.known().map(({ card }) => card.model);
    addBoard(server, settings.MILLRACE_BOARD_KEY, opened.use(new BoardQueues(redis, models)));
  });
  opened.defer(() => management.close());

  const release = opened.move();
  try {
    const times = { delayMs: settings.MILLRACE_DRAIN_DELAY_MS, graceMs: settings.MILLRACE_GRACE_MS };
    const lifecycle = new ApiLifecycle(openRequests, times, () => release.disposeAsync(), logger);
    const parts = {
      logger,
      catalogue,
      access: admission,
      completions,
      desk,
      readiness,
      admin: new TenancyAdmin(redis),
      ledger: new LedgerAdmin(redis),
      refused: new RefusedAdmin(refused),
      workers: new WorkersAdmin({
        workers: () => sources.directory.workers(),
        ask: (workerId, command) => askWorker(redis, workerId, command),
      }),
      lifecycle,
    };
    const app = await createApp(settings, parts, authenticator, openRequests, observers);
    const managementUrl = await listenOrExplain(
      'MILLRACE_MANAGEMENT_PORT',
      settings.MILLRACE_MANAGEMENT_HOST,
      settings.MILLRACE_MANAGEMENT_PORT,
      () => management.listen({ host: settings.MILLRACE_MANAGEMENT_HOST, port: settings.MILLRACE_MANAGEMENT_PORT }),
    );
    const url = await listenOrExplain(
      'MILLRACE_HTTP_PORT',
      settings.MILLRACE_HTTP_HOST,
      settings.MILLRACE_HTTP_PORT,
      async () => {
        await app.listen(settings.MILLRACE_HTTP_PORT, settings.MILLRACE_HTTP_HOST);
        return app.getUrl();
      },
    );
    logger.info({ url, managementUrl, relayAddress: relay.address, replicaId }, 'ready');
    return { app, url, relayAddress: relay.address, managementUrl };
  } catch (error) {
    await release.disposeAsync();
    throw error;
  }
}

async function createApp(
  settings: ApiSettings,
  parts: ApiParts,
  authenticator: Authenticator,
  openRequests: OpenRequests,
  observers: RequestObservers,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: settings.MILLRACE_MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => requestIdOf(request.headers),
  });
  addApiHooks(adapter.getInstance(), authenticator, openRequests, observers, parts.logger);
  const app = await NestFactory.create<NestFastifyApplication>(apiModule(parts), adapter, {
    bodyParser: false,
    logger: new NestLogger(parts.logger),
    abortOnError: false,
  });
  SwaggerModule.setup('docs', app, () => openapiDocument() as unknown as OpenAPIObject, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Millrace API',
  });
  await app.init();
  return app;
}

function relayTlsOf(settings: ApiSettings): RelayServerTls | undefined {
  const { MILLRACE_RELAY_CERT: certificate, MILLRACE_RELAY_KEY: key, MILLRACE_RELAY_CA: clientCa } = settings;
  return certificate === undefined || key === undefined ? undefined : { certificate, key, clientCa };
}
