import { Server, status } from '@grpc/grpc-js';
import { MillraceError } from '#contracts';
import { RelayListenError } from '../errors/relay-listen-error.ts';
import { AttemptRegister } from '../fence/attempt-register.ts';
import type { JobOffer, OfferTaker, RelaySink, RelaySubscription, ResumedChoice } from '../relay-ports.ts';
import { attachHandlerDefinition } from '../wire/attach-method.ts';
import { DEFAULT_KEEPALIVE_MS, serverOptions } from '../wire/channel-options.ts';
import { MAX_MESSAGE_BYTES } from '../wire/protocol.ts';
import { type RelayServerTls, serverCredentials } from '../wire/relay-tls.ts';
import { showsToken } from '../wire/relay-token.ts';
import { OpenOffers } from './open-offers.ts';
import type { RelayServerStats } from './relay-server-stats.ts';
import { type WorkerCall, WorkerStream, type WorkerStreamEvents } from './worker-stream.ts';

/** Time that peers get to read the last frames before their connections are cut. */
const SHUTDOWN_MS = 500;

/** Characters of a job that is offered at most; a longer one goes through the queue, which has no such limit. */
const LONGEST_OFFER = MAX_MESSAGE_BYTES / 8;

export interface RelayServerOptions {
  /** Address to bind. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Host name under which workers reach this replica; `host` when unset. */
  readonly advertisedHost?: string | undefined;
  readonly replicaId: string;
  /** Secret that workers must show; anybody may attach when unset. */
  readonly token?: string | undefined;
  /** Without it the relay is not encrypted. */
  readonly tls?: RelayServerTls | undefined;
  /** Silence after which the peer is pinged; a dead one shows after 2.25 times as long. Default 800. */
  readonly keepaliveMs?: number | undefined;
  /** Workers are told that jobs may be offered to them. Default false. */
  readonly makesOffers?: boolean | undefined;
  /** Told of every worker that attached or went, for logs and metrics. */
  readonly onWorker?: ((change: WorkerChange) => void) | undefined;
}

export interface WorkerChange {
  readonly workerId: string;
  readonly state: 'attached' | 'gone';
  /** Empty when attached. */
  readonly why: string;
}

/**
 * The API replica's end of the relay: workers attach to it, claim the requests that are open here and stream their
 * tokens, which reach each request's sink fenced: in order, nothing twice, nothing skipped.
 */
export class RelayServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #register = new AttemptRegister();
  readonly #offers = new OpenOffers();
  readonly #streams = new Set<WorkerStream>();
  readonly #options: RelayServerOptions;
  #port = 0;
  #endedFramesTotal = 0;
  #bytesTotal = 0;
  #workersLostTotal = 0;
  #closing: Promise<void> | null = null;

  private constructor(options: RelayServerOptions) {
    this.#options = options;
    this.#server = new Server(serverOptions(options.keepaliveMs ?? DEFAULT_KEEPALIVE_MS));
    const attach = attachHandlerDefinition((bytes) => {
      this.#bytesTotal += bytes;
    });
    this.#server.addService({ attach }, { attach: (call: WorkerCall) => this.#attach(call) });
  }

  /** @throws RelayListenError when the port can not be taken, RelayTlsError when `tls` can not be used. */
  static async listen(options: RelayServerOptions): Promise<RelayServer> {
    const credentials = serverCredentials(options.tls);
    const relayServer = new RelayServer(options);
    const bindHost = options.host.includes(':') ? `[${options.host}]` : options.host;
    relayServer.#port = await new Promise<number>((resolve, reject) => {
      relayServer.#server.bindAsync(`${bindHost}:${options.port}`, credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(new RelayListenError(options.host, options.port, error));
      });
    });
    return relayServer;
  }

  /** `host:port` as workers should dial it; goes into every job. */
  get address(): string {
    const host = this.#options.advertisedHost ?? this.#options.host;
    return `${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
  }

  /**
   * Registers an attempt before its job is enqueued; until it ends or is disposed, one worker's claim of it is granted.
   * @param resume what earlier attempts delivered, one per choice; the worker is told, and the fence begins behind it
   * @throws MillraceError `unavailable` when the server closes, `internal_error` when the epoch is not a newer one.
   */
  open(
    requestId: string,
    epoch: number,
    choices: number,
    sink: RelaySink,
    resume: readonly ResumedChoice[] = [],
  ): RelaySubscription {
    if (this.#closing !== null) throw new MillraceError('unavailable', 'This API replica is stopping; try again.');
    return this.#register.open(requestId, epoch, choices, sink, resume);
  }

  /**
   * Offers the job of an attempt that is open here to one of the workers that take offers of its model and may have room. The worker
   * claims it as it would claim one from the queue.
   * @param choose one of those that there are, which are one at least
   * @param declined called once, should the worker not want it or be lost before it has answered
   * @returns whom it was offered; null when there is nobody, or the job is too long
   */
  offer(
    offer: JobOffer,
    choose: (takers: readonly OfferTaker[]) => OfferTaker,
    declined: () => void,
  ): OfferTaker | null {
    if (offer.job.length > LONGEST_OFFER) return null;
    const takers = [...this.#streams].filter((stream) => stream.mayTake(offer));
    if (takers.length === 0) return null;
    const chosen = choose(takers);
    const stream = takers.find((taker) => taker === chosen);
    if (stream === undefined) return null;
    stream.sendOffer(offer, declined);
    return stream;
  }

  /** The workers that take offers of a model, whether or not they have room now. */
  takers(model: string): OfferTaker[] {
    return [...this.#streams].filter((stream) => stream.takesOffersOf(model));
  }

  /** Nobody waits for the answer to an offer any more: it comes too late, or not at all. */
  forgetOffer(requestId: string): void {
    this.#offers.forget(requestId);
  }

  /** Whether a stream of this worker's process is open now. */
  attached(processId: string): boolean {
    for (const stream of this.#streams) if (stream.hello !== null && stream.processId === processId) return true;
    return false;
  }

  stats(): RelayServerStats {
    const attached = [...this.#streams].filter((stream) => stream.hello !== null);
    return {
      streams: this.#streams.size,
      openRequests: this.#register.size,
      framesTotal: attached.reduce((sum, stream) => sum + stream.framesTotal, this.#endedFramesTotal),
      bytesTotal: this.#bytesTotal,
      tokensTotal: this.#register.tokensTotal,
      streamsLostTotal: this.#workersLostTotal,
      refusedTotal: { ...this.#register.refusedTotal },
      offersTotal: { ...this.#offers.totals },
      workers: attached.map((stream) => ({
        workerId: stream.workerId,
        models: stream.hello?.models ?? [],
        slots: stream.hello?.slots ?? 0,
        granted: stream.attempts.size,
      })),
    };
  }

  /** Lets open requests end within `graceMs`, fails the rest with `unavailable`, then ends every stream. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0);
  }

  async #close(graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#register.whenEmpty(), grace]);
    clearTimeout(timer);
    this.#register.failAll(
      new MillraceError('unavailable', 'This API replica stopped before the answer was complete.'),
    );
    for (const stream of [...this.#streams]) stream.end('the replica stops');
    await this.#shutDown();
  }

  async #shutDown(): Promise<void> {
    const forced = setTimeout(() => this.#server.forceShutdown(), SHUTDOWN_MS);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(forced);
  }

  #attach(call: WorkerCall): void {
    if (!showsToken(call.metadata, this.#options.token)) {
      call.emit('error', {
        code: status.UNAUTHENTICATED,
        details: 'the relay token is missing or wrong; set the same MILLRACE_RELAY_TOKEN for the API and the worker',
      });
      call.resume();
      return;
    }
    this.#streams.add(new WorkerStream(call, this.#events));
  }

  get #events(): WorkerStreamEvents {
    return {
      replicaId: this.#options.replicaId,
      register: this.#register,
      offers: this.#offers,
      makesOffers: this.#options.makesOffers ?? false,
      greeted: (stream) => this.#options.onWorker?.({ workerId: stream.workerId, state: 'attached', why: '' }),
      ended: (stream, why) => this.#forget(stream, why),
    };
  }

  #forget(stream: WorkerStream, why: string): void {
    this.#streams.delete(stream);
    this.#endedFramesTotal += stream.framesTotal;
    if (stream.attempts.size > 0) this.#workersLostTotal += 1;
    this.#offers.lose(stream);
    this.#register.lose(stream, why);
    if (stream.hello !== null) this.#options.onWorker?.({ workerId: stream.workerId, state: 'gone', why });
  }
}
