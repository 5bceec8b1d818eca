import { Agent, request } from 'node:http';
import { seededRandom } from '../../test/chaos/seeded-random.ts';
import { burstyArrivals, openLoop, poissonArrivals } from '../clients/arrivals.ts';
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

/** Most of them are one token of the shipped model's. */
const WORDS = 'time water people work river light place house world story music paper table night money part'.split(
  ' ',
);
/** Two lengths of a prompt, to learn how many tokens a word and the template have. */
const TRIED_WORDS = [8, 40] as const;

serveSide<Settings, Task, ServedRequest[]>(async ({ url, key, model, scale }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const textOf = (words: number, random: () => number) =>
    Array.from({ length: words }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ');
  const bodyOf = (content: string, answerTokens: number, stream: boolean) =>
    JSON.stringify({
      model,
      messages: [{ role: 'user', content }],
      max_tokens: answerTokens,
      temperature: 0,
      ignore_eos: true,
      stream,
    });
  const promptTokensOf = async (words: number): Promise<number> => {
    const body = bodyOf(textOf(words, seededRandom(words)), 1, false);
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { usage: { prompt_tokens: number } }).usage.prompt_tokens;
  };
  const [few, many] = [await promptTokensOf(TRIED_WORDS[0]), await promptTokensOf(TRIED_WORDS[1])];
  const tokensPerWord = (many - few) / (TRIED_WORDS[1] - TRIED_WORDS[0]);
  const templateTokens = few - tokensPerWord * TRIED_WORDS[0];

  const ask = ({ promptTokens, answerTokens }: RequestLengths, random: () => number, over: AbortSignal) =>
    new Promise<ServedRequest>((resolve) => {
      const words = Math.max(1, Math.round((promptTokens - templateTokens) / tokensPerWord));
      const body = bodyOf(textOf(words, random), answerTokens, true);
      const beganMs = performance.now();
      const served: ServedRequest = {
        status: 0,
        answerTokens,
        firstTokenMs: null,
        lastTokenMs: null,
        gapsMs: [],
        whole: false,
        endedMs: 0,
      };
      let rest = '';
      const finish = () => {
        served.endedMs = performance.now();
        resolve(served);
      };
      const options = {
        method: 'POST',
        agent,
        signal: over,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      };
      const call = request(`${url}/v1/chat/completions`, options, (response) => {
        served.status = response.statusCode ?? 0;
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          const sinceMs = performance.now() - beganMs;
          const events = (rest + chunk).split('\n\n');
          rest = events.pop() ?? '';
          for (const event of events) {
            if (event.includes('[DONE]')) served.whole = true;
            // A token's event carries content; the first event (role) and the last (finish reason) do not.
            if (!/"content":"./.test(event)) continue;
            if (served.lastTokenMs === null) served.firstTokenMs = sinceMs;
            else served.gapsMs.push(sinceMs - served.lastTokenMs);
            served.lastTokenMs = sinceMs;
          }
        });
        response.on('close', finish);
        response.on('error', () => {});
      });
      call.on('error', finish);
      call.setNoDelay(true);
      call.end(body);
    });

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
