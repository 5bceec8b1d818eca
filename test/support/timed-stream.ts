import { withoutCachedTokens } from './cached-tokens.ts';

export interface TimedStream {
  /** The id that its events carry. */
  readonly id: string;
  /** Every event's JSON without ids and creation time, as text, and `[DONE]`; comments are left out. */
  readonly events: readonly string[];
  /** Longest silence between two events, in ms. */
  readonly gapMs: number;
}

/** Server-sent events of one answer, which may come over several connections, one after another. */
export class ReceivedEvents implements TimedStream {
  id = '';
  readonly events: string[] = [];
  #longestGapMs = 0;
  #lastMs: number | null = null;
  #lastEventId: string | null = null;
  readonly #onEvent: (count: number) => void;

  constructor(onEvent: (count: number) => void = () => {}) {
    this.#onEvent = onEvent;
  }

  get gapMs(): number {
    return Math.round(this.#longestGapMs);
  }

  /** Of the last event that had one. */
  get lastEventId(): string | null {
    return this.#lastEventId;
  }

  /** Reads to the end of the stream. Rejects when its connection breaks; what has come until then is kept. */
  async read(response: Response): Promise<void> {
    if (response.body === null) throw new Error('the response has no body');
    let rest = '';
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + text).split('\n\n');
      rest = pieces.pop() ?? '';
      for (const piece of pieces) this.#take(piece);
    }
  }

  #take(piece: string): void {
    const data = /^data: (.*)$/m.exec(piece)?.[1];
    if (data === undefined) return;
    const now = performance.now();
    if (this.#lastMs !== null) this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastMs);
    this.#lastMs = now;
    this.#lastEventId = /^id: (.*)$/m.exec(piece)?.[1] ?? this.#lastEventId;
    this.id ||= /"id":"([^"]*)"/.exec(data)?.[1] ?? '';
    this.events.push(anonymous(data));
    this.#onEvent(this.events.length);
  }
}

/**
 * Reads server-sent events to the end of the stream.
 * @param onEvent called after each event; the stream goes on being read meanwhile
 */
export async function readTimedStream(
  response: Response,
  onEvent: (count: number) => void = () => {},
): Promise<TimedStream> {
  const received = new ReceivedEvents(onEvent);
  await received.read(response);
  return received;
}

function anonymous(data: string): string {
  return withoutCachedTokens(data)
    .replace(/"id":"[^"]*"/, '"id":""')
    .replace(/"created":\d+/, '"created":0')
    .replace(/"id":"call_[^"]*"/g, '"id":"call_"');
}
