import { LoadClient } from '../../apps/cli/src/replay/load-client.ts';
import { openLoop } from '../../apps/cli/src/replay/open-loop.ts';
import { promptRate, wordCount, wordsOf } from '../../apps/cli/src/replay/prompt-writer.ts';
import { seededRandom } from '../../apps/cli/src/replay/seeded-random.ts';
import { burstyArrivals, poissonArrivals } from '../clients/arrivals.ts';
import { drawLengths, type RequestLengths } from '../clients/length-mix.ts';
import type { ServedRequest } from '../clients/served-request.ts';
import { serveSide } from '../side.ts';

/** Clients with requests of mixed lengths, in a process of their own, so that what they cost is not taken for the server's time. */
interface Settings {
  url: string;
  key: string;
  model: string;
  /** Of the trace's lengths. */
  scale: number;
}
type Task = {
  seed: number;
  seconds: number;
  /** How long answers are waited for after the last request was sent. */
  patienceMs: number;
} & ({ clients: number } | { ratePerS: number; bursty: boolean });

serveSide<Settings, Task, ServedRequest[]>(async ({ url, key, model, scale }) => {
  const client = new LoadClient({ url, key, model });
  const promptTokensOf = async (content: string): Promise<number> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    const body = JSON.stringify({ model, messages: [{ role: 'user', content }], max_tokens: 1 });
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { usage: { prompt_tokens: number } }).usage.prompt_tokens;
  };
  const rate = await promptRate(promptTokensOf);
  const ask = ({ promptTokens, answerTokens }: RequestLengths, random: () => number, over: AbortSignal) =>
    client.ask(wordsOf(wordCount(promptTokens, rate), random).join(' '), answerTokens, over);

  let runs = 0;
  return async (task) => {
    const { seed, seconds, patienceMs } = task;
    // Lengths have a course of their own: at any load the same ones come in the same order. No text comes twice.
    const random = seededRandom(seed + 1);
    runs += 1;
    const words = seededRandom(1_000 + runs);
    const served: ServedRequest[] = [];
    const over = new AbortController();
    const next = async (): Promise<void> => void served.push(await ask(drawLengths(scale, random), words, over.signal));
    const endsMs = performance.now() + seconds * 1_000;
    const timer = setTimeout(() => over.abort(), seconds * 1_000 + patienceMs);
    if ('clients' in task) {
      const client = async () => {
        while (performance.now() < endsMs) await next();
      };
      await Promise.all(Array.from({ length: task.clients }, client));
    } else {
      const count = Math.round(task.ratePerS * seconds);
      const dueMs = (task.bursty ? burstyArrivals : poissonArrivals)(seed, task.ratePerS, count + 1);
      // In a few seconds chance may send many more or fewer: the load is exactly what it is called.
      const stretch = (seconds * 1_000) / Math.max(1, dueMs.at(-1) ?? 1);
      await openLoop(
        dueMs.slice(0, count).map((ms) => ms * stretch),
        next,
      );
    }
    clearTimeout(timer);
    for (const request of served) request.endedMs -= endsMs - seconds * 1_000;
    return served;
  };
});
