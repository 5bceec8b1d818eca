import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { type ApiAccess, noApiAnswers } from '../client/api-access.ts';
import { type AnswerPart, partOfComment, partsOfEvent } from './answer-part.ts';
import { ChatError } from './chat-error.ts';
import type { ChatMessage } from './conversation.ts';
import { failureOf, refusalOf } from './refusal.ts';
import type { Sampling } from './sampling.ts';

const ModelList = z.object({ data: z.array(z.object({ id: z.string() })) });

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly sampling: Sampling;
}

/** Asks an API replica for models and streamed answers. */
export class ChatClient {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  get url(): string {
    return this.#access.url;
  }

  /** Those that the key may use now. @throws ChatError, StartError */
  async models(): Promise<string[]> {
    const response = await this.#fetch('/v1/models', {});
    return ModelList.parse(await response.json()).data.map(({ id }) => id);
  }

  /**
   * An answer as it comes. Aborting cancels the request, in whatever phase it is.
   * @throws ChatError when it is refused, fails or breaks off; StartError when no API answers; the signal's reason
   */
  async *answer({ model, messages, sampling }: ChatRequest, signal: AbortSignal): AsyncGenerator<AnswerPart> {
    const response = await this.#fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model,
        messages,
        ...sampling,
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal,
    });
    let parts: AnswerPart[] = [];
    let whole = false;
    let failure: ChatError | null = null;
    const parser = createParser({
      onComment: (comment) => {
        const part = partOfComment(comment);
        if (part !== null) parts.push(part);
      },
      onEvent: ({ data }) => {
        if (data === '[DONE]') whole = true;
        else failure ??= failureOf(data);
        if (!whole && failure === null) parts.push(...partsOfEvent(data));
      },
    });
    const decoder = new TextDecoder();
    for await (const bytes of chunksOf(response, signal)) {
      parser.feed(decoder.decode(bytes, { stream: true }));
      yield* parts;
      parts = [];
    }
    if (failure !== null) throw failure;
    if (!whole) throw brokenOff();
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#access.key}` };
    let response: Response;
    try {
      response = await fetch(`${this.#access.url}${path}`, { ...init, headers });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw noApiAnswers(this.#access, error);
    }
    if (response.ok) return response;
    throw refusalOf(response.status, response.headers, await response.text().catch(() => ''));
  }
}

async function* chunksOf({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw brokenOff(error);
  }
}

function brokenOff(cause?: unknown): ChatError {
  return new ChatError('connection_lost', 'The connection broke off before the answer was whole.', { cause });
}
