import { TenantAccount } from '#admission';
import { METRICS } from '#observability';
import { ComputedPrompts, IdempotencyKeys, KeptAnswers, RefusedRequests } from '#requests';
import { Completions } from '../delivery/completions.ts';
import { OpenRequests } from '../delivery/open-requests.ts';
import { Courses } from '../generate/courses.ts';
import { FAILOVER_TIMES } from '../generate/failover/failover-options.ts';
import { Generation } from '../generate/generation.ts';
import { Adoption } from '../generate/kept/adoption.ts';
import { AnswerDesk } from '../generate/kept/answer-desk.ts';
import { AnswerFollower } from '../generate/kept/answer-follower.ts';
import { Takeover } from '../generate/kept/takeover.ts';
import { JobOffers } from '../generate/offers/job-offers.ts';
import { CANCEL_PHASES, type CancelPhase } from '../requests/cancel-latency.ts';
import type { ApiBase } from './api-base.ts';
import type { Models } from './models.ts';
import type { RequestRegister } from './request-register.ts';
import type { Tenancy } from './tenancy.ts';

/** Silence on a stream never lasts longer, so that proxies do not take it for dead. */
const KEEPALIVE_MS = 5_000;

/** From a valid request to its delivered answer, with what outlives its connection or its replica. */
export interface Answering {
  readonly openRequests: OpenRequests;
  readonly completions: Completions;
  readonly refused: RefusedRequests;
}

interface AnsweringParts {
  readonly models: Models;
  readonly tenancy: Tenancy;
  readonly register: RequestRegister;
}

export function openAnswering(
  base: ApiBase,
  { models, tenancy, register }: AnsweringParts,
  opened: AsyncDisposableStack,
): Answering {
  const { settings, redis, relay, logger, metrics, replicaId } = base;
  const { catalogue, queues, prompts, constraints } = models;
  const { admission } = tenancy;
  const { presence, notices, journal, deadAfterMs } = register;
  const openRequests = new OpenRequests();
  metrics.read(METRICS.openRequests, () => [{ labels: {}, value: openRequests.size }]);
  const cancelLatency = cancelLatencyOf(base);
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
    offers: settings.MILLRACE_OFFERS ? openOffers(base, catalogue, opened) : null,
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
  const adoption = opened.use(
    new Adoption({
      kept,
      presence,
      adopt: (id, found) => takeover.take(id, found),
      onAdopted: (course) => openRequests.track(course),
      stopping: () => openRequests.draining,
      lookMs: deadAfterMs,
      logger,
    }),
  );
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
  return { openRequests, completions, refused };
}

function openOffers(
  { redis, relay, replicaId }: ApiBase,
  catalogue: Models['catalogue'],
  opened: AsyncDisposableStack,
) {
  const prompts = opened.use(
    new ComputedPrompts(redis, {
      replicaId,
      onComputed: (workerId, blocks) => offers.computed(workerId, blocks),
    }),
  );
  const offers = new JobOffers({
    relay,
    jobVersionOf: (model) => catalogue.jobVersionOf(model),
    tell: (workerId, blocks) => prompts.tell(workerId, blocks),
  });
  return offers;
}

function cancelLatencyOf({ metrics, logger }: ApiBase) {
  const latencies = metrics.family(METRICS.cancelLatency);
  for (const phase of CANCEL_PHASES) latencies.child({ phase });
  return {
    observe: (phase: CancelPhase, latencyMs: number, requestId: string) => {
      latencies.child({ phase }).observe(latencyMs / 1_000);
      logger.debug({ requestId, phase, latencyMs }, 'cancelled');
    },
  };
}
