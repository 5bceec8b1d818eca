import { withoutCachedTokens } from './cached-tokens.ts';

export interface TimedStream {
  /** The id that its events carry. */
  readonly id: string;
  /** Every event's JSON without id and creation time, as text, and `[DONE]`; comments are left out. */
  readonly events: readonly string[];
  /** Longest silence between two events, in ms. */
  readonly gapMs: number;
}

/**
 * Reads server-sent events to the end of the stream.
 * @param onEvent called after each event; the stream goes on being read meanwhile
 */
export async function readTimedStream(
  response: Response,
  onEvent: (count: number) => void = () => {},
): Promise<TimedStream> {
  if (response.body === null) throw new Error('the response has no body');
  const events: string[] = [];
  let id = '';
  let gapMs = 0;
  let lastMs: number | null = null;
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const pieces = (rest + text).split('\n\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      if (!piece.startsWith('data: ')) continue;
      const now = performance.now();
      if (lastMs !== null) gapMs = Math.max(gapMs, now - lastMs);
      lastMs = now;
      id ||= /"id":"([^"]*)"/.exec(piece)?.[1] ?? '';
      events.push(anonymous(piece.slice('data: '.length)));
      onEvent(events.length);
    }
  }
  return { id, events, gapMs: Math.round(gapMs) };
}

function anonymous(data: string): string {
  return withoutCachedTokens(data)
    .replace(/"id":"[^"]*"/, '"id":""')
    .replace(/"created":\d+/, '"created":0');
}
