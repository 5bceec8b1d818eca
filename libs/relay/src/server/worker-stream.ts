import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { TransientSet } from '#collections';
import type { relay } from '#contracts';
import type { Attempt, AttemptHolder } from '../fence/attempt.ts';
import type { AttemptRegister } from '../fence/attempt-register.ts';
import type { JobOffer, OfferTaker } from '../relay-ports.ts';
import { isSpoken, OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, RESUME_VERSION } from '../wire/protocol.ts';
import { DeclinedOffers } from './declined-offers.ts';
import type { OpenOffers } from './open-offers.ts';

export type WorkerCall = ServerDuplexStream<relay.WorkerMessage, relay.ApiMessage>;

/** How long a peer may stay silent before its hello. */
const HELLO_TIMEOUT_MS = 5_000;

/** Answers that may wait for a worker that does not read; far more than its slots can ask for. */
const MAX_PENDING_ANSWERS = 16_384;

export interface WorkerStreamEvents {
  readonly replicaId: string;
  readonly register: AttemptRegister;
  readonly offers: OpenOffers;
  /** Whether this replica makes offers, so that workers say what they take. */
  readonly makesOffers: boolean;
  greeted(stream: WorkerStream): void;
  ended(stream: WorkerStream, why: string): void;
}

/**
 * The API's end of one attached stream: `waiting` for the hello, then `attached`, then `ended`.
 * Whatever the peer does wrong ends this stream, with a status that says what, and the attempts it was granted.
 */
export class WorkerStream implements AttemptHolder, OfferTaker {
  readonly attempts = new TransientSet<Attempt>();
  framesTotal = 0;
  readonly #call: WorkerCall;
  readonly #events: WorkerStreamEvents;
  readonly #helloTimer: NodeJS.Timeout;
  #hello: relay.Hello | null = null;
  #offersTaken: readonly string[] = [];
  readonly #declined = new DeclinedOffers();
  /** It has said nothing since an offer that it did not answer in time. */
  #silent = false;
  #ended = false;

  constructor(call: WorkerCall, events: WorkerStreamEvents) {
    this.#call = call;
    this.#events = events;
    this.#helloTimer = setTimeout(
      () => this.#reject(status.DEADLINE_EXCEEDED, `no hello within ${HELLO_TIMEOUT_MS} ms`),
      HELLO_TIMEOUT_MS,
    );
    call.on('data', (message: relay.WorkerMessage) => this.#take(message));
    call.on('end', () => this.end('the worker closed its stream'));
    call.on('cancelled', () => this.#settle('the connection broke or the worker cancelled'));
    call.on('close', () => this.#settle('the connection closed'));
    call.on('error', (error) => this.#settle(error.message));
  }

  get workerId(): string {
    return this.#hello?.workerId ?? '(unknown)';
  }

  get processId(): string {
    return this.#hello?.processId ?? '';
  }

  get canResume(): boolean {
    return (this.#hello?.protocolVersion ?? 0) >= RESUME_VERSION;
  }

  get hello(): relay.Hello | null {
    return this.#hello;
  }

  get held(): number {
    return this.attempts.size;
  }

  takesOffersOf(model: string): boolean {
    return this.#offersTaken.includes(model);
  }

  /** Whether it takes offers of the model, and may have room for this one. */
  mayTake(offer: Pick<JobOffer, 'model' | 'dueTenant'>): boolean {
    return !this.#silent && this.takesOffersOf(offer.model) && !this.#declined.has(offer);
  }

  /** It has not answered an offer in time: nothing is offered to it before it says something, whatever that is. */
  owesAnAnswer(): void {
    this.#silent = true;
  }

  /** @param declined called once, should the worker not want it or its stream end before it has answered */
  sendOffer(offer: JobOffer, declined: () => void): void {
    const { requestId, epoch, model, job, dueTenant } = offer;
    const withoutRoom = () => {
      this.#declined.add(offer);
      declined();
    };
    this.#events.offers.add({ requestId, epoch }, this, withoutRoom);
    this.#send({ message: { $case: 'offer', value: { requestId, epoch, model, job, due: dueTenant !== null } } });
  }

  sendCancel(requestId: string, epoch: number, reason: string): void {
    this.#send({ message: { $case: 'cancel', value: { requestId, epoch, reason } } });
  }

  /** Ends the stream with status OK after what was sent before. */
  end(why: string): void {
    if (this.#ended) return;
    this.#settle(why);
    this.#call.end();
  }

  #take(message: relay.WorkerMessage): void {
    if (this.#ended) return;
    this.framesTotal += 1;
    this.#silent = false;
    const content = message.message;
    if (content === undefined) this.#reject(status.INVALID_ARGUMENT, 'a message without known content');
    else if (content.$case === 'hello') this.#greet(content.value);
    else if (this.#hello === null) this.#reject(status.FAILED_PRECONDITION, 'the first message must be hello');
    else if (content.$case === 'step') this.#events.register.step(this, content.value);
    else if (content.$case === 'accepted') this.#answer(content.value);
    else if (content.$case === 'declined') this.#events.offers.declined(this, content.value);
    else this.#offersTaken = content.value.models;
  }

  #greet(hello: relay.Hello): void {
    const { replicaId, makesOffers } = this.#events;
    const refusal = this.#hello === null ? helloRefusal(hello, replicaId) : 'hello was sent twice';
    if (refusal !== null) {
      this.#reject(status.FAILED_PRECONDITION, refusal);
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#hello = hello;
    this.#events.greeted(this);
    const { protocolVersion } = hello;
    this.#send({ message: { $case: 'welcome', value: { replicaId, protocolVersion, makesOffers } } });
  }

  #answer({ requestId, epoch }: relay.Accepted): void {
    const offered = this.#events.offers.accepted(this, { requestId, epoch });
    const resume = this.#events.register.claim(this, { requestId, epoch });
    if (resume === null) {
      this.sendCancel(
        requestId,
        epoch,
        'the request is not open here, runs already, or began on a worker of a newer release',
      );
      return;
    }
    // The offer has said it: one message fewer wakes the worker while it makes the first token.
    if (offered) return;
    // The encoder only reads the token ids, which is all that `readonly` asks for.
    this.#send({ message: { $case: 'grant', value: { requestId, epoch, resume: resume as relay.ResumedChoice[] } } });
  }

  #send(message: relay.ApiMessage): void {
    if (this.#ended) return;
    this.#call.write(message);
    if (this.#call.writableLength > MAX_PENDING_ANSWERS) {
      this.#reject(status.RESOURCE_EXHAUSTED, `the worker does not read: ${MAX_PENDING_ANSWERS} answers wait`);
    }
  }

  #reject(code: status, details: string): void {
    if (this.#ended) return;
    this.#settle(details);
    // grpc-js turns an error event of a server call into its final status.
    this.#call.emit('error', { code, details });
    this.#call.resume();
  }

  #settle(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#helloTimer);
    this.#events.ended(this, why);
  }
}

function helloRefusal(hello: relay.Hello, replicaId: string): string | null {
  if (hello.workerId === '') return 'hello without a worker id';
  if (isSpoken(hello.protocolVersion)) return null;
  return (
    `relay protocol version ${hello.protocolVersion} of worker ${hello.workerId} does not match versions ` +
    `${OLDEST_PROTOCOL_VERSION} to ${PROTOCOL_VERSION} of replica ${replicaId}; run one release on both, or two that follow each other`
  );
}
