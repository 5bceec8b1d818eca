import type { Cluster } from '../../test/support/cluster.ts';
import { readTimedStream } from '../../test/support/timed-stream.ts';
import { answerLimit } from './answer-limit.ts';

/** Streamed answers that were asked for at once, each of them whole; times in ms from the first request. */
export interface WholeStreams {
  /** When each had its first token. */
  readonly firstMs: readonly number[];
  /** When the last one had ended. */
  readonly endMs: number;
}

/** @throws Error when a stream is refused, has no end, or fewer tokens than were asked for */
export async function wholeStreams(
  cluster: Cluster,
  load: { model: string; streams: number; answerTokens: number; round: number },
): Promise<WholeStreams> {
  const begin = performance.now();
  const asked = Array.from({ length: load.streams }, async (_, stream) => {
    let firstMs = Number.NaN;
    const question = {
      model: load.model,
      messages: [{ role: 'user', content: `bench prompt ${load.round} of stream ${stream}` }],
      temperature: 0,
      ignore_eos: true,
      max_tokens: load.answerTokens,
      stream: true,
      stream_options: { include_usage: true },
    };
    const response = await cluster.post(question, { signal: answerLimit() });
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    const { events } = await readTimedStream(response, (count) => {
      // The first event tells the role only.
      if (count === 2) firstMs = performance.now() - begin;
    });
    assertWhole(events, load.answerTokens);
    return firstMs;
  });
  const firstMs = await Promise.all(asked);
  return { firstMs, endMs: performance.now() - begin };
}

function assertWhole(events: readonly string[], answerTokens: number): void {
  const usage = events
    .map((event) => /"completion_tokens":(\d+)/.exec(event)?.[1])
    .find((count) => count !== undefined);
  if (events.at(-1) !== '[DONE]') throw new Error(`a stream of ${events.length} events has no end: ${events.at(-1)}`);
  if (Number(usage) !== answerTokens) throw new Error(`a stream has ${usage} tokens of ${answerTokens}`);
}
