import { setTimeout as sleep } from 'node:timers/promises';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import type { Cluster } from '../support/cluster.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { ReceivedEvents } from '../support/timed-stream.ts';
import { requestOf } from './request-kinds.ts';
import { pick } from './seeded-random.ts';

const PAUSE_MS = 100;
/** A refused or cut off client asks again for this long; the longest outage is far below. */
const PATIENCE_MS = 60_000;
/** Ask again later: refused, or the first use of the key is still being let in. */
const COME_AGAIN: readonly number[] = [429, 503, 409];

/** What a client saw: the same for the same request, whatever happens to the cluster. */
export interface SeenAnswer {
  readonly id: string;
  /** By choice; which choice's event comes first is not promised. */
  readonly parts: Readonly<Record<string, readonly string[]>>;
  readonly completionTokens: number;
  readonly gapMs: number;
}

export interface ExchangeParts {
  readonly cluster: Cluster;
  readonly model: string;
  readonly apiKey: string;
  readonly kind: string;
  readonly random: () => number;
  /** A client with a key comes back after its replica was ended, and wants what it has not had; one without gives up. */
  readonly idempotencyKey: string | null;
  readonly signal?: AbortSignal;
}

/** One request of a client, over as many connections as it takes. */
export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #received = new ReceivedEvents();
  readonly #streamed: boolean;
  readonly #body: object;
  refusals = 0;
  /** Connections after the first that went on with the answer. */
  resumptions = 0;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#body = requestOf(parts.kind, parts.model);
    this.#streamed = (this.#body as { stream: boolean }).stream;
  }

  /** The id of the request, once something of it was seen; otherwise empty. */
  get id(): string {
    return bareId(this.#received.id);
  }

  /** @returns null when the answer was lost with its replica, as it may be for who has no key */
  async run(): Promise<SeenAnswer | null> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    for (;;) {
      if (performance.now() > giveUpAtMs) throw new Error(`no answer within ${PATIENCE_MS} ms`);
      const api = pick(this.#parts.cluster.apis, this.#parts.random);
      try {
        const answer = await this.#connection(api);
        if (answer !== null) return answer;
        this.refusals += 1;
      } catch (error) {
        const ended = !this.#parts.cluster.apis.includes(api);
        if (!ended || this.#parts.signal?.aborted) throw error;
        if (this.#parts.idempotencyKey === null) return null;
        this.resumptions += 1;
      }
      await sleep(PAUSE_MS);
    }
  }

  /** @returns null when it was refused before anything was promised */
  async #connection(api: ProductProcess): Promise<SeenAnswer | null> {
    const response = await this.#post(api);
    if (COME_AGAIN.includes(response.status)) {
      const retryAfterS = Number(response.headers.get('retry-after'));
      const text = await response.text();
      if (response.status !== 409 && !(retryAfterS > 0)) {
        throw new Error(`status ${response.status} without Retry-After: ${text}`);
      }
      return null;
    }
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    if (!this.#streamed) return wholeAnswer((await response.json()) as WholeBody);
    await this.#received.read(response);
    return this.#streamedAnswer();
  }

  #post(api: ProductProcess): Promise<Response> {
    const { cluster, apiKey, idempotencyKey, signal } = this.#parts;
    const { lastEventId } = this.#received;
    const headers = {
      authorization: `Bearer ${apiKey}`,
      ...(idempotencyKey !== null && { 'idempotency-key': idempotencyKey }),
      ...(lastEventId !== null && { 'last-event-id': lastEventId }),
    };
    return cluster.post(this.#body, { headers, ...(signal && { signal }) }, api);
  }

  #streamedAnswer(): SeenAnswer {
    const { events, gapMs, id } = this.#received;
    if (events.at(-1) !== '[DONE]') throw new Error(`request ${id} ended with ${events.at(-1)}`);
    const parts = Object.groupBy(events, (event) => /"index":(\d+)/.exec(event)?.[1] ?? 'all') as SeenAnswer['parts'];
    const { usage } = JSON.parse(events.at(-2) ?? '{}') as { usage: { completion_tokens: number } };
    return { id: bareId(id), parts, completionTokens: usage.completion_tokens, gapMs };
  }
}

interface WholeBody {
  readonly id: string;
  readonly created: number;
  readonly usage: { readonly completion_tokens: number };
}

function wholeAnswer(body: WholeBody): SeenAnswer {
  const { id, created: _created, ...rest } = body;
  return {
    id: bareId(id),
    parts: { all: [withoutCachedTokens(JSON.stringify(rest))] },
    completionTokens: rest.usage.completion_tokens,
    gapMs: 0,
  };
}

const bareId = (id: string) => id.replace(/^chatcmpl-/, '');
