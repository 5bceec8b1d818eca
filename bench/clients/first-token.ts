import { Agent, request } from 'node:http';
import { answerLimit } from './answer-limit.ts';

interface Question {
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly tokens: number;
  /** Number of the request: prompts of one length, none of which comes twice. */
  readonly ask: number;
}

const agent = new Agent({ keepAlive: true });

/** Time from sending a streamed request to the event of its first token, in ms; resolves when the stream has ended. */
export function firstTokenMs({ url, key, model, tokens, ask }: Question): Promise<number> {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: `${String(ask).padStart(6, '0')} What is the capital of France?` }],
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
  });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Bearer ${key}`,
  };
  return new Promise((resolve, reject) => {
    const beganMs = performance.now();
    let firstMs: number | null = null;
    let text = '';
    const call = request(
      `${url}/v1/chat/completions`,
      { method: 'POST', agent, headers, signal: answerLimit() },
      (response) => {
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          // The event before it tells the role only; a token may be a piece of a character, and then has no text yet.
          if (firstMs === null && /"content":"./.test(text)) firstMs = performance.now() - beganMs;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (firstMs !== null && text.includes('[DONE]')) resolve(firstMs);
          else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 400)}`));
        });
      },
    );
    call.on('error', reject);
    call.setNoDelay(true);
    call.end(body);
  });
}
