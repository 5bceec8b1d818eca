import { randomUUID } from 'node:crypto';
import { type ChannelCredentials, status } from '@grpc/grpc-js';
import type { relay } from '#contracts';
import { RelayStreamError } from '../errors/relay-stream-error.ts';
import type { ClaimOutcome, ClaimRequest } from '../relay-ports.ts';
import { DEFAULT_KEEPALIVE_MS, dialerOptions } from '../wire/channel-options.ts';
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from '../wire/protocol.ts';
import { dialerCredentials, dialerTlsOptions } from '../wire/relay-tls.ts';
import { tokenMetadata } from '../wire/relay-token.ts';
import { HeldClaim } from './held-claim.ts';
import type { OutgoingFrames } from './outgoing-frames.ts';
import type { RelayDialerOptions, RelayDialerStats } from './relay-dialer-options.ts';
import { type DialReason, Replica } from './replica.ts';
import { ReplicaStream } from './replica-stream.ts';

const DEFAULT_CLAIM_TIMEOUT_MS = 2_000;
const DEFAULT_DIAL_TIMEOUT_MS = 1_500;
const DEFAULT_IDLE_MS = 60_000;
const DEFAULT_MAX_PENDING_BYTES = 8 * 1024 * 1024;

type CancelListener = (requestId: string, epoch: number, reason: string) => void;
type LostListener = (requestId: string, epoch: number) => void;

/**
 * The worker's end of the relay: one stream per API replica, dialled when a claim needs it or `keepReady` names the replica, kept
 * while it is used or named.
 * A claim that was granted is held until all its choices have finished, it failed, or its stream broke.
 */
export class RelayDialer implements AsyncDisposable {
  readonly #options: RelayDialerOptions;
  readonly #credentials: ChannelCredentials;
  /** A worker that is started anew may carry the same id; replicas tell the two apart by this. */
  readonly #processId = randomUUID();
  readonly #replicas = new Map<string, Replica>();
  readonly #claims = new Map<string, HeldClaim>();
  readonly #cancelListeners: CancelListener[] = [];
  readonly #lostListeners: LostListener[] = [];
  /** Addresses by replica id. */
  #keptReady: ReadonlyMap<string, string> = new Map();
  #endedMessagesTotal = 0;
  #endedBytesTotal = 0;
  #droppedFramesTotal = 0;
  #streamsLostTotal = 0;
  #closed = false;

  /** @throws RelayTlsError when `tls` can not be used */
  constructor(options: RelayDialerOptions) {
    this.#options = options;
    this.#credentials = dialerCredentials(options.tls);
  }

  /** Called when a replica wants a granted attempt stopped. Its end is still to be published. */
  onCancel(listener: CancelListener): void {
    this.#cancelListeners.push(listener);
  }

  /**
   * Called for every attempt whose stream broke before its end, so that nobody waits for its tokens any more, or so
   * soon after it that its last frames may not have arrived. It was granted, or has sent frames before the answer.
   */
  onLost(listener: LostListener): void {
    this.#lostListeners.push(listener);
  }

  /**
   * Asks the replica that a job names whether its client is still there and no other worker has the attempt.
   * Never rejects: 'denied' also when the replica can not be reached within the claim's time, or when this worker
   * holds the same or a newer attempt of the request already.
   */
  async claim(request: ClaimRequest): Promise<ClaimOutcome> {
    const current = this.#claims.get(request.requestId);
    if (this.#closed || (current !== undefined && current.epoch >= request.epoch)) return 'denied';
    if (current !== undefined) this.#deny(current);
    const claim = new HeldClaim(request);
    this.#claims.set(claim.requestId, claim);
    const timer = setTimeout(() => this.#giveUp(claim), this.#options.claimTimeoutMs ?? DEFAULT_CLAIM_TIMEOUT_MS);
    this.#ask(claim, this.#replica(request.relayAddress));
    const outcome = await claim.answer;
    clearTimeout(timer);
    return outcome;
  }

  /**
   * Opens streams to replicas before a claim needs them, and keeps them for as long as they are named. Each is dialled once: one that
   * can not be reached is left alone until a claim names it, and nobody is told.
   * @param replicas all that are to be ready, their addresses by replica id
   */
  keepReady(replicas: ReadonlyMap<string, string>): void {
    const before = this.#keptReady;
    this.#keptReady = new Map(replicas);
    if (this.#closed) return;
    for (const [replicaId, address] of replicas) if (!before.has(replicaId)) this.#prepare(this.#replica(address));
  }

  /** Tells the replicas of which models jobs are taken now that they offer. */
  sayOffersTaken(): void {
    for (const stream of this.#streams()) this.#sayOffersTaken(stream);
  }

  /** Whether a stream to the replica is open, so that the answer to a claim is no more than a round trip away. */
  reaches(relayAddress: string): boolean {
    return this.#replicas.get(relayAddress)?.stream?.isOpen === true;
  }

  /**
   * Sends each replica its part of a step as one message. Frames of attempts nobody waits for are dropped. Those of a claim that is
   * not answered yet go behind it on the same stream: the replica delivers them if it grants the claim, and else refuses them.
   */
  publish(frames: OutgoingFrames): void {
    const batches = new Map<ReplicaStream, relay.StepBatch>();
    const batchTo = (stream: ReplicaStream): relay.StepBatch => {
      let batch = batches.get(stream);
      if (batch === undefined) {
        batch = { step: frames.step, deltas: [], finished: [], failed: [] };
        batches.set(stream, batch);
      }
      return batch;
    };
    const batchOf = (frame: { requestId: string; epoch: number }): relay.StepBatch | null => {
      const claim = this.#claimOf(frame);
      if (claim === null || claim.stream === null || claim.over) {
        this.#droppedFramesTotal += 1;
        return null;
      }
      claim.begun = true;
      return batchTo(claim.stream);
    };
    // The encoder only reads the arrays of a delta, which is all that `readonly` asks for.
    for (const delta of frames.deltas) batchOf(delta)?.deltas.push(delta as relay.Delta);
    for (const finished of frames.finished) {
      batchOf(finished)?.finished.push(finished);
      this.#finishChoice(finished);
    }
    for (const failed of frames.failed) {
      batchOf(failed)?.failed.push(failed);
      this.#fail(failed);
    }
    for (const [stream, batch] of batches) stream.send({ message: { $case: 'step', value: batch } });
  }

  stats(): RelayDialerStats {
    const streams = this.#streams();
    return {
      streams: streams.length,
      claims: this.#claims.size,
      pendingBytes: streams.reduce((sum, stream) => sum + stream.pendingBytes, 0),
      messagesTotal: streams.reduce((sum, stream) => sum + stream.messagesTotal, this.#endedMessagesTotal),
      bytesTotal: streams.reduce((sum, stream) => sum + stream.bytesTotal, this.#endedBytesTotal),
      droppedFramesTotal: this.#droppedFramesTotal,
      streamsLostTotal: this.#streamsLostTotal,
    };
  }

  /** Denies open claims, sends what is written and ends every stream, within about a second. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const claim of [...this.#claims.values()]) if (!claim.granted) this.#deny(claim);
    await Promise.all(this.#streams().map((stream) => stream.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #sayOffersTaken(stream: ReplicaStream): void {
    const models = [...(this.#options.takesOffersOf ?? [])];
    if (stream.makesOffers) stream.send({ message: { $case: 'takesOffers', value: { models } } });
  }

  #offered(stream: ReplicaStream, offer: relay.Offer): void {
    if (!this.#closed && this.#options.takeOffer?.(offer) === true) return;
    const { requestId, epoch } = offer;
    stream.send({ message: { $case: 'declined', value: { requestId, epoch } } });
  }

  #prepare(replica: Replica): void {
    replica.prepare().then(
      (stream) => {
        if (stream.claims.size === 0) this.#armIdle(stream);
      },
      () => {},
    );
  }

  #ask(claim: HeldClaim, replica: Replica): void {
    if (replica.stream?.isOpen) {
      this.#askOver(replica.stream, claim);
      return;
    }
    replica.connect().then(
      (stream) => {
        // The claim may have timed out, or the dialer closed, while the stream was dialled.
        if (this.#claims.get(claim.requestId) === claim) this.#askOver(stream, claim);
        else if (stream.claims.size === 0) this.#armIdle(stream);
      },
      () => this.#deny(claim),
    );
  }

  #askOver(stream: ReplicaStream, claim: HeldClaim): void {
    claim.stream = stream;
    stream.claims.add(claim);
    const { requestId, epoch } = claim;
    stream.send({ message: { $case: 'accepted', value: { requestId, epoch } } });
    if (claim.offered) claim.grant([]);
  }

  /** A grant that is on its way would leave the API waiting for ever, so the attempt is handed back. */
  #giveUp(claim: HeldClaim): void {
    const { requestId, epoch, stream, over } = claim;
    if (stream !== null && !over) {
      const message = 'The worker waited too long for the answer to its claim.';
      const failed = [{ requestId, epoch, code: 'worker_lost', message }];
      stream.send({ message: { $case: 'step', value: { step: 0, deltas: [], finished: [], failed } } });
    }
    this.#deny(claim);
  }

  #answered(stream: ReplicaStream, answer: relay.ApiMessage): void {
    if (answer.message === undefined || answer.message.$case === 'welcome') return;
    if (answer.message.$case === 'offer') {
      this.#offered(stream, answer.message.value);
      return;
    }
    const { requestId, epoch } = answer.message.value;
    const claim = this.#claims.get(requestId);
    if (claim === undefined || claim.epoch !== epoch || claim.stream !== stream) return;
    if (answer.message.$case === 'grant') {
      claim.grant(answer.message.value.resume);
      if (claim.over) this.#forget(claim);
    } else if (claim.granted) {
      const { reason } = answer.message.value;
      for (const listener of this.#cancelListeners) listener(requestId, epoch, reason);
    } else {
      this.#deny(claim);
    }
  }

  #ended(stream: ReplicaStream, error: RelayStreamError): void {
    this.#replicas.get(stream.address)?.drop(stream);
    this.#endedMessagesTotal += stream.messagesTotal;
    this.#endedBytesTotal += stream.bytesTotal;
    const lost = [...stream.claims];
    if (lost.length > 0) this.#streamsLostTotal += 1;
    this.#options.onReplica?.({ address: stream.address, state: 'gone', why: error.message });
    for (const claim of lost) {
      if (!claim.granted && !claim.begun) {
        this.#deny(claim);
        continue;
      }
      // What it sent may have reached the client, and nobody else may know what that cost.
      claim.settle('granted');
      this.#forget(claim);
      this.#tellLost(claim);
    }
    for (const finished of stream.finished.lately()) this.#tellLost(finished);
  }

  #tellLost({ requestId, epoch }: { readonly requestId: string; readonly epoch: number }): void {
    if (!this.#closed) for (const listener of this.#lostListeners) listener(requestId, epoch);
  }

  #claimOf(frame: { requestId: string; epoch: number }): HeldClaim | null {
    const claim = this.#claims.get(frame.requestId);
    return claim?.epoch === frame.epoch ? claim : null;
  }

  #finishChoice(finished: relay.Finished): void {
    const claim = this.#claimOf(finished);
    if (claim === null || claim.over) return;
    claim.openChoices -= 1;
    if (claim.openChoices > 0) return;
    claim.stream?.finished.add(claim);
    this.#end(claim);
  }

  #fail(failed: relay.Failed): void {
    const claim = this.#claimOf(failed);
    if (claim !== null) this.#end(claim);
  }

  /** Nothing more of it is sent; its answer may still be on the way. */
  #end(claim: HeldClaim): void {
    claim.over = true;
    if (claim.granted) this.#forget(claim);
  }

  #deny(claim: HeldClaim): void {
    this.#forget(claim);
    claim.settle('denied');
  }

  #forget(claim: HeldClaim): void {
    if (this.#claims.get(claim.requestId) === claim) this.#claims.delete(claim.requestId);
    const { stream } = claim;
    if (stream === null) return;
    stream.claims.delete(claim);
    if (stream.claims.size === 0) this.#armIdle(stream);
  }

  #armIdle(stream: ReplicaStream): void {
    const replica = this.#replicas.get(stream.address);
    replica?.armIdle(this.#options.idleMs ?? DEFAULT_IDLE_MS, (idle) => {
      if ([...this.#keptReady.values()].includes(idle.address)) {
        this.#armIdle(idle);
        return;
      }
      replica.drop(idle);
      this.#replicas.delete(idle.address);
      void idle.close();
    });
  }

  #streams(): ReplicaStream[] {
    return [...this.#replicas.values()].flatMap((replica) => replica.stream ?? []);
  }

  #replica(address: string): Replica {
    let replica = this.#replicas.get(address);
    if (replica === undefined) {
      for (const [key, other] of this.#replicas) if (other.forgettable) this.#replicas.delete(key);
      replica = new Replica(address, (why) => this.#open(address, why));
      this.#replicas.set(address, replica);
    }
    return replica;
  }

  async #open(address: string, why: DialReason): Promise<ReplicaStream> {
    const { onReplica } = this.#options;
    try {
      const stream = await this.#dial(address, PROTOCOL_VERSION).catch((error: unknown) => {
        // A replica of an older release says no to a hello of a newer one.
        if (!isVersionRefusal(error)) throw error;
        return this.#dial(address, OLDEST_PROTOCOL_VERSION);
      });
      onReplica?.({ address, state: 'attached', why: '' });
      if (this.#closed) void stream.close();
      else this.#sayOffersTaken(stream);
      return stream;
    } catch (error) {
      if (why === 'claimed') {
        onReplica?.({ address, state: 'unreachable', why: error instanceof Error ? error.message : String(error) });
      }
      throw error;
    }
  }

  #dial(address: string, protocolVersion: number): Promise<ReplicaStream> {
    const { workerId, models, slots, token, tls, keepaliveMs } = this.#options;
    return ReplicaStream.open({
      address,
      hello: { workerId, models: [...models], slots, protocolVersion, processId: this.#processId },
      metadata: tokenMetadata(token),
      credentials: this.#credentials,
      channelOptions: { ...dialerOptions(keepaliveMs ?? DEFAULT_KEEPALIVE_MS), ...dialerTlsOptions(tls) },
      dialTimeoutMs: this.#options.dialTimeoutMs ?? DEFAULT_DIAL_TIMEOUT_MS,
      maxPendingBytes: this.#options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES,
      answered: (from, answer) => this.#answered(from, answer),
      ended: (from, error) => this.#ended(from, error),
    });
  }
}

function isVersionRefusal(error: unknown): boolean {
  const cause = error instanceof RelayStreamError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === status.FAILED_PRECONDITION;
}
