import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { z } from 'zod';
import type { ServedRequest } from './served-request.ts';

export interface LoadClientOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  readonly model: string;
}

/** More than any trace has open at a time: requests must not wait in the client. */
const MOST_SOCKETS = 20_000;
/** A token's event carries text; the first event (role) and the last (finish reason) do not. */
const TEXT = /"(?:reasoning_)?content":"./;

const Usage = z.object({
  usage: z.object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }).nullish(),
  }),
});
const Refusal = z.object({ error: z.object({ code: z.string() }) });

/** Asks for streamed answers of a set length and notes when their tokens come; what it costs itself is kept small. */
export class LoadClient {
  readonly #options: LoadClientOptions;
  readonly #send: typeof request;
  readonly #agent: Agent;

  constructor(options: LoadClientOptions) {
    this.#options = options;
    const secure = options.url.startsWith('https:');
    this.#send = secure ? tlsRequest : request;
    this.#agent = new (secure ? TlsAgent : Agent)({ keepAlive: true, maxSockets: MOST_SOCKETS });
  }

  /** @param over ends the request where it stands */
  ask(content: string, answerTokens: number, over: AbortSignal): Promise<ServedRequest> {
    const body = JSON.stringify({
      model: this.#options.model,
      messages: [{ role: 'user', content }],
      max_tokens: answerTokens,
      temperature: 0,
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true },
    });
    const served: ServedRequest = {
      status: 0,
      code: null,
      requestId: null,
      answerTokens,
      firstTokenMs: null,
      lastTokenMs: null,
      gapsMs: [],
      whole: false,
      endedMs: 0,
      usage: null,
    };
    const { promise, resolve } = Promise.withResolvers<ServedRequest>();
    const finish = () => {
      served.endedMs = performance.now();
      resolve(served);
    };
    const { url, key } = this.#options;
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${key}`,
    };
    const beganMs = performance.now();
    const options = { method: 'POST', agent: this.#agent, signal: over, headers };
    const call = this.#send(`${url}/v1/chat/completions`, options, (response) => {
      noteAnswer(response, served, beganMs);
      response.on('close', finish);
      response.on('error', () => {});
    });
    call.on('error', finish);
    call.setNoDelay(true);
    call.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function noteAnswer(response: IncomingMessage, served: ServedRequest, beganMs: number): void {
  served.status = response.statusCode ?? 0;
  const requestId = response.headers['x-request-id'];
  if (typeof requestId === 'string') served.requestId = requestId;
  response.setEncoding('utf8');
  let rest = '';
  if (served.status !== 200) {
    response.on('data', (chunk: string) => (rest += chunk));
    response.on('end', () => (served.code = codeOf(rest) ?? `http_${served.status}`));
    return;
  }
  response.on('data', (chunk: string) => {
    const sinceMs = performance.now() - beganMs;
    const events = (rest + chunk).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      if (TEXT.test(event)) {
        if (served.lastTokenMs === null) served.firstTokenMs = sinceMs;
        else served.gapsMs.push(sinceMs - served.lastTokenMs);
        served.lastTokenMs = sinceMs;
      } else noteEnd(event, served);
    }
  });
}

/** What an event without text tells of the answer's end. */
function noteEnd(event: string, served: ServedRequest): void {
  if (!event.startsWith('data: ')) return;
  const data = event.slice('data: '.length);
  if (data === '[DONE]') served.whole = true;
  else if (data.includes('"error":{')) served.code = codeOf(data);
  else if (data.includes('"usage":{')) {
    const { success, data: told } = Usage.safeParse(parsed(data));
    if (!success) return;
    const { prompt_tokens: promptTokens, completion_tokens: answerTokens, prompt_tokens_details: details } = told.usage;
    served.usage = { promptTokens, cachedTokens: details?.cached_tokens ?? 0, answerTokens };
  }
}

function codeOf(body: string): string | null {
  const { success, data } = Refusal.safeParse(parsed(body));
  return success ? data.error.code : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
