import type { Cluster } from '../../test/support/cluster.ts';
import { readTimedStream } from '../../test/support/timed-stream.ts';
import { answerLimit } from './answer-limit.ts';

/** A question whose answer is known from when nobody else asked anything. */
export interface Chat {
  readonly content: string;
  readonly answerTokens: number;
  /** Every event of its stream, with the log probability of each token; null until it was asked alone. */
  alone: readonly string[] | null;
}

const SENTENCE = 'The miller walks to the river and counts the sacks of flour once more. ';

/** Short chats, no two of which are the same. */
export function shortChats(count: number, answerTokens: number): Chat[] {
  return Array.from({ length: count }, (_, i) => ({
    content: `Question ${i}: what would a miller ask ${i % 7} rivers about ${i % 5} wheels?`,
    answerTokens,
    alone: null,
  }));
}

/** One chat that takes `tokens` in all, its answer included; how many words that are is learnt from what the API counts. */
export async function longChat(cluster: Cluster, model: string, tokens: number, answerTokens: number): Promise<Chat> {
  const [few, more] = [await promptTokens(cluster, model, 4), await promptTokens(cluster, model, 12)];
  const ofSentence = (more - few) / 8;
  const sentences = Math.floor((tokens - answerTokens - few) / ofSentence) + 3;
  return { content: SENTENCE.repeat(sentences), answerTokens, alone: null };
}

/** The answer of one chat, as events without ids. @throws Error when it has no end */
export async function ask(
  cluster: Cluster,
  model: string,
  { content, answerTokens }: Chat,
): Promise<readonly string[]> {
  const messages = [{ role: 'user', content }];
  const sampling = { temperature: 0, ignore_eos: true, max_tokens: answerTokens, logprobs: true };
  const response = await cluster.post({ model, messages, stream: true, ...sampling }, { signal: answerLimit() });
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  const { events } = await readTimedStream(response);
  if (events.at(-1) !== '[DONE]') throw new Error(`a stream of ${events.length} events has no end`);
  return events;
}

async function promptTokens(cluster: Cluster, model: string, sentences: number): Promise<number> {
  const messages = [{ role: 'user', content: SENTENCE.repeat(sentences) }];
  const response = await cluster.post({ model, messages, max_tokens: 1 }, { signal: answerLimit() });
  const { usage } = (await response.json()) as { usage: { prompt_tokens: number } };
  return usage.prompt_tokens;
}
