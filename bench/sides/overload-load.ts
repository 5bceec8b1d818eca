import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveSide } from '../side.ts';
import type { LoadSample } from '../suites/overload.ts';

/** Clients in a process of their own, so that what they cost is not taken for the API's time. */
interface Settings {
  url: string;
  model: string;
  /** Keys of the tenants that ask, in turns. */
  keys: string[];
}

interface Task {
  /** `closed`: so many clients, each asking again when it was answered. `open`: so many requests a second, come what may. */
  loop: { kind: 'closed'; clients: number } | { kind: 'open'; ratePerS: number };
  seconds: number;
  /** Whether a refused client comes back when it was told to, until it gets in. */
  retries: boolean;
  /** How long answers are waited for after the last request was sent. */
  patienceMs: number;
}

/** A client that is refused this often gives up. */
const MOST_TRIES = 8;

serveSide<Settings, Task, LoadSample[]>(async ({ url, model, keys }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 8_000 });
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8, stream: true });

  /** One HTTP request from its first byte to its last. */
  const ask = (key: string, tries: number, over: AbortSignal) =>
    new Promise<LoadSample>((resolve) => {
      const sentMs = performance.now();
      const sample: LoadSample = {
        tries,
        sentMs: Date.now(),
        status: 0,
        durationMs: 0,
        firstTokenMs: null,
        done: false,
        advertisedWaitMs: null,
        retryAfterMs: null,
      };
      const finish = () => {
        sample.durationMs = performance.now() - sentMs;
        resolve(sample);
      };
      const call = request(
        `${url}/v1/chat/completions`,
        {
          method: 'POST',
          agent,
          signal: over,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            authorization: `Bearer ${key}`,
            // As OpenAI's clients do.
            'x-stainless-retry-count': String(tries - 1),
          },
        },
        (response) => {
          const header = (name: string) => {
            const value = response.headers[name];
            return typeof value === 'string' ? Number(value) : null;
          };
          sample.status = response.statusCode ?? 0;
          sample.advertisedWaitMs = header('x-estimated-wait-ms');
          sample.retryAfterMs = header('retry-after-ms');
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            if (sample.firstTokenMs === null && chunk.includes('"content":"Yes"')) {
              sample.firstTokenMs = performance.now() - sentMs;
            }
            if (chunk.includes('[DONE]')) sample.done = true;
          });
          response.on('close', finish);
          response.on('error', () => {});
        },
      );
      call.on('error', finish);
      call.end(body);
    });

  return async ({ loop, seconds, retries, patienceMs }) => {
    const samples: LoadSample[] = [];
    const over = new AbortController();
    let asked = 0;
    const client = async () => {
      const key = keys[asked++ % keys.length] ?? '';
      for (let tries = 1; tries <= (retries ? MOST_TRIES : 1); tries += 1) {
        const sample = await ask(key, tries, over.signal);
        samples.push(sample);
        if (sample.status === 200 || over.signal.aborted) return;
        if (retries) await sleep(sample.retryAfterMs ?? 1_000);
      }
    };
    const startedMs = performance.now();
    const endsMs = startedMs + seconds * 1_000;
    const clients: Promise<void>[] = [];
    if (loop.kind === 'closed') {
      const again = async () => {
        while (performance.now() < endsMs) await client();
      };
      for (let index = 0; index < loop.clients; index += 1) clients.push(again());
    } else {
      for (let index = 0; index < seconds * loop.ratePerS; index += 1) {
        const dueMs = startedMs + (index * 1_000) / loop.ratePerS;
        while (performance.now() < dueMs) await sleep(1);
        clients.push(client());
      }
    }
    const timer = setTimeout(() => over.abort(), Math.max(0, endsMs - performance.now()) + patienceMs);
    await Promise.all(clients);
    clearTimeout(timer);
    return samples;
  };
});
