import { Agent, request } from 'node:http';
import { answerLimit } from '../clients/answer-limit.ts';
import { serveSide } from '../side.ts';

/** Clients that open streams and count the tokens in them, in a process of their own. */
interface Settings {
  url: string;
  model: string;
  key: string;
}
interface Task {
  streams: number;
}
export interface Counted {
  tokens: number;
  done: number;
  seconds: number;
}

const TOKEN = Buffer.from('"content":" token"');
const DONE = Buffer.from('data: [DONE]');

serveSide<Settings, Task, Counted>(async ({ url, model, key }) => {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 4_000,
    stream: true,
  });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Bearer ${key}`,
  };
  return async ({ streams }) => {
    const signal = answerLimit();
    const agent = new Agent({ keepAlive: true, maxSockets: streams });
    let firstMs = 0;
    const counts = await Promise.all(
      Array.from(
        { length: streams },
        () =>
          new Promise<{ tokens: number; done: number }>((resolve, reject) => {
            const call = request(
              `${url}/v1/chat/completions`,
              { method: 'POST', agent, headers, signal },
              (response) => {
                if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
                let tokens = 0;
                let done = 0;
                let rest: Buffer = Buffer.alloc(0);
                response.on('data', (chunk: Buffer) => {
                  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
                  const whole = bytes.lastIndexOf('\n\n') + 2;
                  if (whole < 2) {
                    rest = bytes;
                    return;
                  }
                  rest = bytes.subarray(whole);
                  const events = bytes.subarray(0, whole);
                  for (let at = events.indexOf(TOKEN); at >= 0; at = events.indexOf(TOKEN, at + TOKEN.length))
                    tokens += 1;
                  if (tokens > 0 && firstMs === 0) firstMs = performance.now();
                  if (events.includes(DONE)) done = 1;
                });
                response.on('error', reject);
                response.on('end', () => resolve({ tokens, done }));
              },
            );
            call.on('error', reject);
            call.end(body);
          }),
      ),
    );
    const seconds = (performance.now() - firstMs) / 1_000;
    agent.destroy();
    const sum = (of: (count: { tokens: number; done: number }) => number) =>
      counts.reduce((total, c) => total + of(c), 0);
    return { tokens: sum(({ tokens }) => tokens), done: sum(({ done }) => done), seconds };
  };
});
