import type { ServerResponse } from 'node:http';
import { ChunkedBody } from './chunked-body.ts';
import type { NumberedEvent } from './event-numbers.ts';

export interface SseStreamOptions {
  /** Asked when the stream opens. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Bytes that may wait for the client to read before it is given up. */
  readonly maxBufferedBytes: number;
  /** A comment is sent after this time of silence, so that nobody on the way takes the connection for dead. */
  readonly keepaliveMs: number;
}

/**
 * Server-sent events straight to the socket of one response. Events leave at once (no Nagle delay), those of one turn as one
 * write; a client that does not read is disconnected when `maxBufferedBytes` wait for it.
 */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #body: ChunkedBody;
  readonly #options: SseStreamOptions;
  #keepalive: NodeJS.Timeout | null = null;
  #silence = 'keepalive';
  #opened = false;
  #ended = false;

  constructor(response: ServerResponse, options: SseStreamOptions) {
    this.#response = response;
    this.#body = new ChunkedBody(response);
    this.#options = options;
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** Sets the headers, which leave with the first event; from here on no other status is possible. */
  #open(): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#response.socket?.setNoDelay(true);
    this.#response.writeHead(200, {
      ...this.#options.headers(),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    this.#response.once('close', () => this.#stopKeepalive());
    this.#keepalive = setInterval(() => this.comment(this.#silence), this.#options.keepaliveMs);
  }

  /** What the comments say that fill silence. */
  set silence(comment: string) {
    this.#silence = comment;
  }

  /** Sends several events as one write. */
  events(events: readonly unknown[]): void {
    let text = '';
    for (const event of events) text += `data: ${JSON.stringify(event)}\n\n`;
    if (text !== '') this.#write(text);
  }

  /** The same for events that a client can come back behind. */
  numberedEvents(events: readonly NumberedEvent[]): void {
    if (events.length === 0) return;
    this.#write(events.map(({ id, event }) => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
  }

  comment(text: string): void {
    this.#write(`: ${text}\n\n`);
  }

  /** Ends the stream the way that says the answer is complete. */
  done(): void {
    this.#write('data: [DONE]\n\n');
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopKeepalive();
    this.#body.end();
  }

  #write(text: string): void {
    if (this.#ended || this.#response.destroyed) return;
    this.#open();
    // Looked at before the write, since what is written is held back until the end of this tick for everybody.
    if (this.#response.writableLength > this.#options.maxBufferedBytes) {
      this.#response.destroy();
      return;
    }
    this.#body.write(text);
    this.#keepalive?.refresh();
  }

  #stopKeepalive(): void {
    if (this.#keepalive !== null) clearInterval(this.#keepalive);
    this.#keepalive = null;
  }
}
