import type { OfferedJob } from '../relay-ports.ts';
import type { RelayDialerTls } from '../wire/relay-tls.ts';

export interface RelayDialerOptions {
  readonly workerId: string;
  /** Names of the models this worker serves. */
  readonly models: readonly string[];
  /** Sequences this worker can run at once. */
  readonly slots: number;
  /** Secret shown to the replicas. */
  readonly token?: string | undefined;
  /** Without it the relay is dialled unencrypted. */
  readonly tls?: RelayDialerTls | undefined;
  /** Longest time from a claim to its outcome. Default 2,000. */
  readonly claimTimeoutMs?: number | undefined;
  /** Longest time for connection and handshake. Default 1,500. */
  readonly dialTimeoutMs?: number | undefined;
  /** A stream without claims, to a replica that is not to be kept ready, is closed after this time. Default 60,000. */
  readonly idleMs?: number | undefined;
  /** Silence after which the peer is pinged; a dead one shows after 2.25 times as long. Default 800. */
  readonly keepaliveMs?: number | undefined;
  /** Bytes that may wait for one replica to read before its stream is broken. Default 8 MiB. */
  readonly maxPendingBytes?: number | undefined;
  /** Models of which jobs are taken that replicas offer; none when unset. Read when a stream opens and by `sayOffersTaken`. */
  readonly takesOffersOf?: readonly string[] | undefined;
  /** A replica offers a job. @returns whether it is taken; what is not goes to somebody else */
  readonly takeOffer?: ((offer: OfferedJob) => boolean) | undefined;
  /** Told of every stream that opened, ended or could not be opened for a claim, for logs and metrics. */
  readonly onReplica?: ((change: ReplicaChange) => void) | undefined;
}

export interface ReplicaChange {
  readonly address: string;
  readonly state: 'attached' | 'gone' | 'unreachable';
  /** Empty when attached. */
  readonly why: string;
}

export interface RelayDialerStats {
  readonly streams: number;
  /** Claims asked for or granted that have not ended. */
  readonly claims: number;
  readonly pendingBytes: number;
  readonly messagesTotal: number;
  /** Of those messages, as encoded. */
  readonly bytesTotal: number;
  /** Deltas and ends of attempts that no replica waits for any more. */
  readonly droppedFramesTotal: number;
  readonly streamsLostTotal: number;
}
