import { AdmissionGate, LedgerWebhook, TenantDirectory } from '#admission';
import { METRICS } from '#observability';
import type { Authenticator } from '../auth/authenticator.ts';
import { TenantAuthenticator } from '../auth/tenant-authenticator.ts';
import { GatedAdmission } from '../generate/gated-admission.ts';
import { exposeLedger } from '../observation/expose-ledger.ts';
import type { ApiBase } from './api-base.ts';

/** Who may ask, for how much, and what it costs. */
export interface Tenancy {
  readonly authenticator: Authenticator;
  readonly admission: GatedAdmission;
}

export function openTenancy(base: ApiBase, opened: AsyncDisposableStack): Tenancy {
  const { settings, redis, logger, metrics, replicaId } = base;
  const tenants = new TenantDirectory(redis);
  opened.defer(() => tenants[Symbol.dispose]());
  const gate = opened.use(
    new AdmissionGate({
      redis,
      queuePlaces: settings.MILLRACE_QUEUE_PLACES,
      leaseMs: settings.MILLRACE_LEASE_MS,
      onError: (error) => logger.warn({ err: error }, 'a call to Redis will be tried again'),
    }),
  );
  const { MILLRACE_LEDGER_WEBHOOK_URL: url, MILLRACE_LEDGER_WEBHOOK_SECRET: secret } = settings;
  if (url !== undefined && secret !== undefined) {
    const onProblem = (error: unknown) => logger.warn({ err: error }, 'a delivery of the ledger will be tried again');
    opened.use(new LedgerWebhook({ redis, url, secret, memberId: replicaId, onProblem }));
  }
  exposeLedger(metrics, redis);
  metrics.read(METRICS.settlementsPending, () => [{ labels: {}, value: gate.unfinishedCalls }]);
  metrics.read(METRICS.admissionHandles, () => [{ labels: {}, value: gate.openRequests }]);
  return {
    authenticator: new TenantAuthenticator(settings.MILLRACE_DEV_KEY, tenants),
    admission: new GatedAdmission(gate, tenants),
  };
}
