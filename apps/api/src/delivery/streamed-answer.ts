import type { MillraceError } from '#contracts';
import type { OutputEvent } from '#models';
import type { ChunkMapper } from '../dialects/dialect.ts';
import type { AdmissionStanding } from '../generate/admission.ts';
import type { AnswerTokens } from '../generate/answer-listener.ts';
import type { OutputEnd, OutputListener, OutputUsage } from '../generate/output/output-listener.ts';
import type { ReplyTarget } from '../generate/prepared-generation.ts';
import type { EventNumbers, EventOf } from './event-numbers.ts';
import type { SseStream } from './sse-stream.ts';

/** A stream opens at its first event, or after this time without one: until then a failure can have its own status. */
const OPEN_AFTER_MS = 1_000;

/** Shorter than the keepalive, which so never speaks while the request is queued. */
const TELL_POSITION_MS = 3_000;

/** Sends an answer as server-sent events while it is made. */
export class StreamedAnswer implements OutputListener, ReplyTarget {
  readonly #stream: SseStream;
  readonly #mapper: ChunkMapper;
  readonly #errorBody: (error: MillraceError) => unknown;
  readonly #numbers: EventNumbers | null;
  #failure: MillraceError | null = null;
  #openTimer: NodeJS.Timeout | null = null;
  #over = false;
  #started = false;
  /** Where the request stands in the queue, once it was admitted. */
  standing: AdmissionStanding | null = null;

  /** @param numbers for a stream that its client can resume; null for any other */
  constructor(
    stream: SseStream,
    mapper: ChunkMapper,
    errorBody: (error: MillraceError) => unknown,
    numbers: EventNumbers | null = null,
  ) {
    this.#numbers = numbers;
    this.#stream = stream;
    this.#mapper = mapper;
    this.#errorBody = errorBody;
    stream.silence = 'queued';
  }

  get listener(): OutputListener {
    return this;
  }

  /** The error that came before the stream was opened, so that it can still be an HTTP status; null otherwise. */
  get failureBeforeOpening(): MillraceError | null {
    return this.#failure;
  }

  accepted(): void {
    if (this.#over || this.#stream.opened) return;
    this.#openTimer = setTimeout(() => void this.#tellPosition(), OPEN_AFTER_MS);
  }

  /** Tells a waiting client its place and how long it will take, again and again; one whose prompt is being read, that it is. */
  async #tellPosition(): Promise<void> {
    const place = this.#started ? null : ((await this.standing?.queue?.now()) ?? null);
    if (this.#over) return;
    if (this.#started) {
      if (!this.#stream.opened) this.#stream.comment('prefill');
      return;
    }
    this.#stream.comment(place === null ? 'queued' : `queued position=${place.ahead + 1} eta_ms=${place.waitMs}`);
    this.#openTimer = setTimeout(() => void this.#tellPosition(), TELL_POSITION_MS);
  }

  started(): void {
    this.#started = true;
    this.#stream.silence = 'prefill';
  }

  output(choice: number, parts: readonly OutputEvent[], tokens: AnswerTokens, usage: OutputUsage): void {
    this.#stream.silence = 'keepalive';
    this.#send(choice, this.#mapper.output(choice, parts, tokens, usage));
  }

  choiceFinished(choice: number, end: OutputEnd, usage: OutputUsage): void {
    this.#send(choice, this.#mapper.choiceFinished(choice, end, usage));
  }

  ended(usage: OutputUsage): void {
    this.#close();
    this.#send('answer', this.#mapper.ended(usage));
    this.#stream.done();
  }

  failed(error: MillraceError): void {
    this.#close();
    if (this.#stream.opened) {
      this.#stream.events([this.#errorBody(error)]);
      this.#stream.end();
    } else {
      this.#failure = error;
    }
  }

  /** Ends the stream where it stands, so that its client comes back to another replica. @returns whether it had begun */
  breakOff(): boolean {
    this.#close();
    if (!this.#stream.opened) return false;
    this.#stream.comment('this server is stopping; come back with Last-Event-ID');
    this.#stream.end();
    return true;
  }

  /** The client is gone: no timer may touch the stream any more. */
  abandon(): void {
    this.#close();
  }

  #send(of: EventOf, events: readonly unknown[]): void {
    if (this.#numbers === null) this.#stream.events(events);
    else this.#stream.numberedEvents(this.#numbers.number(of, events));
  }

  #close(): void {
    this.#over = true;
    if (this.#openTimer !== null) clearTimeout(this.#openTimer);
  }
}
