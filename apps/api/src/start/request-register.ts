import { ModelPlaces } from '#admission';
import { askToCancel, CancelInbox, Notices, ReplicaPresence, RequestRecords } from '#requests';
import { RequestDesk } from '../requests/request-desk.ts';
import { RequestJournal } from '../requests/request-journal.ts';
import type { ApiBase } from './api-base.ts';
import type { Models } from './models.ts';

/** As a part of the lease: dead replicas are known as such well before what they hold is taken back. */
const DEAD_AFTER_LEASES = 1 / 4;

/** What is known of requests on all replicas, and how replicas tell one another. */
export interface RequestRegister {
  readonly presence: ReplicaPresence;
  readonly notices: Notices;
  readonly journal: RequestJournal;
  readonly desk: RequestDesk;
  /** How long after its last sign of life a replica counts as dead. */
  readonly deadAfterMs: number;
}

export async function openRequestRegister(
  base: ApiBase,
  { catalogue, queues }: Models,
  opened: AsyncDisposableStack,
): Promise<RequestRegister> {
  const { settings, redis, relay, logger, replicaId } = base;
  const deadAfterMs = settings.MILLRACE_LEASE_MS * DEAD_AFTER_LEASES;
  const presence = opened.use(
    new ReplicaPresence(redis, {
      replicaId,
      relayAddress: relay.address,
      deadAfterMs,
      onError: (error) => logger.debug({ err: error }, 'no heartbeat'),
    }),
  );
  await presence.beat();
  const notices = opened.use(new Notices(redis));
  const records = new RequestRecords(redis);
  const journal = new RequestJournal(records, replicaId, logger);
  opened.defer(() => journal.flush());
  opened.use(
    new CancelInbox(redis, replicaId, notices, ({ tenantId, requestId }) => journal.cancel(tenantId, requestId)),
  );
  const desk = new RequestDesk({
    records,
    flush: () => journal.flush(),
    isAlive: (replica) => presence.isAlive(replica),
    position: async ({ model, requestId, epoch }) => {
      const slots = catalogue.served().find(({ card }) => card.model === model)?.liveSlots ?? 0;
      return new ModelPlaces(redis, model).position(requestId, epoch, slots);
    },
    cancelHere: (tenantId, requestId) => journal.cancel(tenantId, requestId),
    cancelThere: (replica, tenantId, requestId) => askToCancel(redis, replica, { tenantId, requestId }),
    removeJob: async ({ model, requestId, epoch }) => void (await queues.of(model).remove(requestId, epoch)),
  });
  return { presence, notices, journal, desk, deadAfterMs };
}
