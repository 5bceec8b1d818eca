import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AuditLog, queueOutlook } from '#admission';
import type { ApiSettings } from '#config';
import { askWorker } from '#queue';
import { AuditAdmin } from '../admin/audit-admin.ts';
import { LedgerAdmin } from '../admin/ledger-admin.ts';
import { QueuesAdmin } from '../admin/queues-admin.ts';
import { RefusedAdmin } from '../admin/refused-admin.ts';
import { TenancyAdmin } from '../admin/tenancy-admin.ts';
import { UsageAdmin } from '../admin/usage-admin.ts';
import { WorkersAdmin } from '../admin/workers-admin.ts';
import { ApiLifecycle } from '../api-lifecycle.ts';
import { addBoard } from '../board/add-board.ts';
import { BoardQueues } from '../board/board-queues.ts';
import { createManagementServer } from '../health/management-server.ts';
import { Readiness } from '../health/readiness.ts';
import { ApiMetrics } from '../observation/api-metrics.ts';
import { RequestObservers } from '../observation/observe-requests.ts';
import { listenOrExplain } from '../process/listen.ts';
import { openAnswering } from './answering.ts';
import { openBase } from './api-base.ts';
import { createApp } from './create-app.ts';
import { openModels } from './models.ts';
import { openRequestRegister } from './request-register.ts';
import { openTenancy } from './tenancy.ts';
import { warmUpRequests } from './warm-up-requests.ts';

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
  const base = await openBase(settings, opened);
  const warm = warmUpRequests().catch((err: unknown) => base.logger.warn({ err }, 'the first request may be slow'));
  const models = await openModels(base, opened);
  const tenancy = openTenancy(base, opened);
  const register = await openRequestRegister(base, models, opened);
  const answering = openAnswering(base, { models, tenancy, register }, opened);

  const { redis, relay, relayOpen, logger, metrics, tracing, replicaId } = base;
  const { openRequests } = answering;
  const readiness = new Readiness({
    redis: async () => (redis.status === 'ready' && (await redis.ping()) === 'PONG' ? null : 'does not answer'),
    relay: () => (relayOpen() ? null : 'is closed'),
    stopping: () => (openRequests.leaving ? 'the replica is stopping' : null),
  });
  const management = createManagementServer(readiness, metrics, (server) => {
    if (settings.MILLRACE_BOARD_KEY === undefined) return;
    const names = () => models.catalogue.known().map(({ card }) => card.model);
    addBoard(server, settings.MILLRACE_BOARD_KEY, opened.use(new BoardQueues(redis, names)));
  });
  opened.defer(() => management.close());
  const observers = new RequestObservers(
    new ApiMetrics(metrics, settings.MILLRACE_METRICS_TENANTS),
    tracing,
    settings.MILLRACE_TRACE_CONTENT,
  );

  const release = opened.move();
  try {
    const times = { delayMs: settings.MILLRACE_DRAIN_DELAY_MS, graceMs: settings.MILLRACE_GRACE_MS };
    const audit = new AuditLog(redis);
    const parts = {
      logger,
      catalogue: models.catalogue,
      access: tenancy.admission,
      completions: answering.completions,
      desk: register.desk,
      readiness,
      admin: new TenancyAdmin(redis),
      ledger: new LedgerAdmin(redis),
      usage: new UsageAdmin(redis),
      audit: new AuditAdmin(audit),
      refused: new RefusedAdmin(answering.refused),
      workers: new WorkersAdmin({
        workers: () => models.directory.workers(),
        ask: (workerId, command) => askWorker(redis, workerId, command),
      }),
      queues: new QueuesAdmin({
        models: () => models.catalogue.known(),
        outlook: (model, slots) => queueOutlook(redis, model, slots),
      }),
      lifecycle: new ApiLifecycle(openRequests, times, () => release.disposeAsync(), logger),
    };
    const app = await createApp(settings, parts, tenancy.authenticator, openRequests, observers, audit);
    await warm;
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
