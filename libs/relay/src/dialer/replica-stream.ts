import { type ChannelCredentials, type ChannelOptions, Client, type Metadata } from '@grpc/grpc-js';
import type { relay } from '#contracts';
import { RelayOverflowError } from '../errors/relay-overflow-error.ts';
import { RelayStreamError } from '../errors/relay-stream-error.ts';
import { type AttachCall, attachMethod, encodeWorkerMessage } from '../wire/attach-method.ts';
import { FinishedClaims } from './finished-claims.ts';
import type { HeldClaim } from './held-claim.ts';

export interface ReplicaStreamOptions {
  readonly address: string;
  readonly hello: relay.Hello;
  readonly metadata: Metadata;
  readonly credentials: ChannelCredentials;
  readonly channelOptions: ChannelOptions;
  readonly dialTimeoutMs: number;
  readonly maxPendingBytes: number;
  readonly answered: (stream: ReplicaStream, answer: relay.ApiMessage) => void;
  /** Called once, when a stream that was open ends for any reason. */
  readonly ended: (stream: ReplicaStream, error: RelayStreamError) => void;
}

const CLOSE_MS = 1_000;

/** A worker's open stream to one API replica: `dialling`, then `open` after the welcome, then `ended`. */
export class ReplicaStream {
  readonly claims = new Set<HeldClaim>();
  readonly finished = new FinishedClaims();
  readonly address: string;
  readonly #options: ReplicaStreamOptions;
  readonly #client: Client;
  readonly #call: AttachCall;
  readonly #closed = Promise.withResolvers<void>();
  #state: 'dialling' | 'open' | 'ended' = 'dialling';
  #pendingBytes = 0;
  #messagesTotal = 0;
  #bytesTotal = 0;
  #closing = false;
  #makesOffers = false;

  private constructor(options: ReplicaStreamOptions) {
    this.address = options.address;
    this.#options = options;
    this.#client = new Client(options.address, options.credentials, options.channelOptions);
    this.#call = this.#client.makeBidiStreamRequest(
      attachMethod.path,
      attachMethod.requestSerialize,
      attachMethod.responseDeserialize,
      options.metadata,
    );
  }

  /** Connects and shakes hands. @throws RelayStreamError when that fails or takes longer than `dialTimeoutMs`. */
  static async open(options: ReplicaStreamOptions): Promise<ReplicaStream> {
    const stream = new ReplicaStream(options);
    await stream.#dial();
    return stream;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether the replica offers jobs, and so may be told which are taken. */
  get makesOffers(): boolean {
    return this.#makesOffers;
  }

  /** Bytes written that the connection has not taken yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Messages written since the start, the greeting included. */
  get messagesTotal(): number {
    return this.#messagesTotal;
  }

  /** Bytes of those messages. */
  get bytesTotal(): number {
    return this.#bytesTotal;
  }

  /** Breaks the stream when more than `maxPendingBytes` would wait for the replica to read. */
  send(message: relay.WorkerMessage): void {
    if (this.#state === 'ended') return;
    const encoded = encodeWorkerMessage(message);
    const pendingBytes = this.#pendingBytes + encoded.length;
    if (pendingBytes > this.#options.maxPendingBytes) {
      this.#end(new RelayOverflowError(this.address, pendingBytes, this.#options.maxPendingBytes));
      return;
    }
    this.#pendingBytes = pendingBytes;
    this.#messagesTotal += 1;
    this.#bytesTotal += encoded.length;
    this.#call.write(encoded, () => {
      this.#pendingBytes -= encoded.length;
    });
  }

  /** Sends what is written, ends the stream and waits until the replica has ended it too, for a second at most. */
  async close(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#closing = true;
    const timer = setTimeout(() => this.#end(new RelayStreamError(this.address, 'closed without answer')), CLOSE_MS);
    this.#call.end();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  #dial(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { dialTimeoutMs } = this.#options;
    const fail = (error: RelayStreamError): void => {
      clearTimeout(timer);
      const dialling = this.#state === 'dialling';
      this.#end(error);
      if (dialling) reject(error);
    };
    const timer = setTimeout(
      () => fail(new RelayStreamError(this.address, `no welcome within ${dialTimeoutMs} ms`)),
      dialTimeoutMs,
    );
    this.#call.on('data', (answer: relay.ApiMessage) => {
      if (this.#state === 'open') return this.#options.answered(this, answer);
      const mismatch = welcomeMismatch(answer, this.#options.hello.protocolVersion);
      if (mismatch !== null) return fail(new RelayStreamError(this.address, mismatch));
      clearTimeout(timer);
      this.#makesOffers = answer.message?.$case === 'welcome' && answer.message.value.makesOffers;
      this.#state = 'open';
      resolve();
    });
    this.#call.on('end', () => {
      fail(
        new RelayStreamError(this.address, this.#closing ? 'closed by this worker' : 'the replica ended the stream'),
      );
    });
    this.#call.on('error', (cause) => fail(new RelayStreamError(this.address, cause.message, cause)));
    this.send({ message: { $case: 'hello', value: this.#options.hello } });
    return promise;
  }

  #end(error: RelayStreamError): void {
    if (this.#state === 'ended') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'ended';
    this.#call.cancel();
    this.#client.close();
    this.#closed.resolve();
    if (wasOpen) this.#options.ended(this, error);
  }
}

function welcomeMismatch(answer: relay.ApiMessage, spoken: number): string | null {
  if (answer.message?.$case !== 'welcome') return 'the first answer is not a welcome';
  const { protocolVersion, replicaId } = answer.message.value;
  if (protocolVersion === spoken) return null;
  return `replica ${replicaId} answered hello of relay protocol version ${spoken} with version ${protocolVersion}`;
}
