import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { openLoop } from '../../apps/cli/src/replay/open-loop.ts';
import type { StreamTimings } from '../suites/path.ts';
import { answerLimit } from './answer-limit.ts';

interface Server {
  url: string;
  key: string;
  model: string;
}

/** Peers write spaces and other ends of lines. */
const EVENT_END = /\r?\n\r?\n/;
const TEXT = /"content": ?"[^"]/;

/** How requests differ from what suites ask when they say nothing. */
interface Asked {
  /** Text of a request by its number; short when left out. */
  prompt?: (number: number) => string;
  /** Further fields of each request; without any, end marks are ignored. */
  fields?: object;
  /** Each request has a connection of its own: some servers close one after a stream without saying so. */
  freshConnections?: boolean;
}

/** Open loop: a request at each of the times, whatever became of those before. */
export async function arrivingTimings(
  load: Server & { arrivalsMs: readonly number[]; answerTokens: number },
): Promise<StreamTimings> {
  const agent = new Agent({ keepAlive: true });
  const timings: StreamTimings = { ttftMs: [], interTokenMs: [] };
  await openLoop(load.arrivalsMs, (ask) => stream(load, agent, shortPrompt(ask), timings));
  agent.destroy();
  return timings;
}

/** Closed loop: `streams` clients, each sending its next request when its last answer has ended. */
export async function streamTimings(
  load: Server & Asked & { streams: number; requests: number; answerTokens: number },
): Promise<StreamTimings> {
  // An agent with a bound on its sockets would use one again, even where it keeps none.
  const agent = new Agent(load.freshConnections ? {} : { keepAlive: true, maxSockets: load.streams });
  const timings: StreamTimings = { ttftMs: [], interTokenMs: [] };
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < load.requests) {
      sent++;
      await stream(load, agent, (load.prompt ?? shortPrompt)(sent), timings);
    }
  };
  await Promise.all(Array.from({ length: load.streams }, client));
  agent.destroy();
  return timings;
}

const shortPrompt = (number: number): string => `bench prompt ${number}`;

function stream(
  load: Server & Asked & { answerTokens: number },
  agent: Agent,
  prompt: string,
  timings: StreamTimings,
): Promise<void> {
  const body = JSON.stringify({
    model: load.model,
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_tokens: load.answerTokens,
    stream: true,
    ...(load.fields ?? { ignore_eos: true }),
  });
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    let lastMs: number | undefined;
    let last = '';
    let done = false;
    const call = request(
      `${load.url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        signal: answerLimit(),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          authorization: `Bearer ${load.key}`,
        },
      },
      (response) => {
        const { statusCode } = response;
        if (statusCode !== 200) {
          return void text(response).then((body) => reject(new Error(`status ${statusCode}: ${body}`)), reject);
        }
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          const now = performance.now();
          const events = (rest + chunk).split(EVENT_END);
          rest = events.pop() ?? '';
          for (const event of events) {
            if (event.includes('[DONE]')) done = true;
            else last = event;
            // A token's event carries content; the first event (role) and the last (finish reason) do not.
            if (!TEXT.test(event)) continue;
            if (lastMs === undefined) timings.ttftMs.push(now - begin);
            else timings.interTokenMs.push(now - lastMs);
            lastMs = now;
          }
        });
        response.on('end', () =>
          done ? resolve() : reject(new Error(`the stream ended without [DONE], its last event: ${last}`)),
        );
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.setNoDelay(true);
    call.end(body);
  });
}
