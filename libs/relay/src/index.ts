/**
 * The token path from workers to the API replica that holds the client: one gRPC stream per (worker, replica), fenced
 * so that every token arrives exactly once and in order, or the attempt fails.
 *
 * @module
 * @example
 * // API replica
 * const server = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'api-1', token });
 * using subscription = server.open(requestId, 1, 1, sink); // before the job is enqueued
 *
 * // worker, with the job that names server.address
 * const dialer = new RelayDialer({ workerId: 'worker-1', models: ['m'], slots: 8, token });
 * dialer.onCancel((requestId, epoch) => engine.cancel(requestId, epoch));
 * const claim = await dialer.claim(job);
 * if (claim !== 'denied') engine.submit(toEngineRequest(job, claim === 'granted' ? null : claim.resume));
 * engine.onStep((output) => dialer.publish(toFrames(output)));
 */
export type { OutgoingDelta, OutgoingFrames } from './dialer/outgoing-frames.ts';
export { RelayDialer } from './dialer/relay-dialer.ts';
export type { RelayDialerOptions, RelayDialerStats, ReplicaChange } from './dialer/relay-dialer-options.ts';
export { RelayFenceError } from './errors/relay-fence-error.ts';
export { RelayListenError } from './errors/relay-listen-error.ts';
export { RelayOverflowError } from './errors/relay-overflow-error.ts';
export { RelayStreamError } from './errors/relay-stream-error.ts';
export { RelayTlsError } from './errors/relay-tls-error.ts';
export { WorkerLostError } from './errors/worker-lost-error.ts';
export { REFUSAL_CAUSES, type RefusalCause } from './fence/refusal-cause.ts';
export type {
  ClaimOutcome,
  ClaimRequest,
  JobOffer,
  OfferedJob,
  OfferTaker,
  RelaySink,
  RelaySubscription,
  ResumedChoice,
  ResumeGrant,
} from './relay-ports.ts';
export { RelayServer, type RelayServerOptions, type WorkerChange } from './server/relay-server.ts';
export type { AttachedWorker, RelayServerStats } from './server/relay-server-stats.ts';
export { warmUpRelay } from './warm-up-relay.ts';
export { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from './wire/protocol.ts';
export type { RelayDialerTls, RelayServerTls } from './wire/relay-tls.ts';
