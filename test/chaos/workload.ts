import { setTimeout as sleep } from 'node:timers/promises';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import type { Cluster } from '../support/cluster.ts';
import { readTimedStream } from '../support/timed-stream.ts';
import { pick } from './seeded-random.ts';

const words = { type: 'array', items: { enum: ['mill', 'race', 'wheel', 'stone'] }, minItems: 25, maxItems: 25 };
const schema = { type: 'object', properties: { words }, required: ['words'], additionalProperties: false };

/** Requests of every kind that has state which a failover could lose. */
export const REQUEST_KINDS: Readonly<Record<string, object>> = {
  greedy: { temperature: 0, max_tokens: 220 },
  'seeded with penalties and stop strings': {
    temperature: 0.9,
    top_p: 0.95,
    seed: 7,
    frequency_penalty: 0.3,
    stop: ['zzzz', 'qqqq'],
    max_tokens: 220,
  },
  'three choices': { n: 3, temperature: 1, seed: 3, max_tokens: 120 },
  'log probabilities': { logprobs: true, top_logprobs: 3, temperature: 1, seed: 4, max_tokens: 100 },
  'JSON schema': {
    response_format: { type: 'json_schema', json_schema: { name: 'words', strict: true, schema } },
    ignore_eos: false,
    temperature: 1,
    seed: 5,
    max_tokens: 300,
  },
  'not streamed': { stream: false, stream_options: undefined, n: 2, temperature: 1, seed: 6, max_tokens: 150 },
};

const NOT_STREAMED = 'not streamed';
const FIRST_REFUSAL_PAUSE_MS = 100;
/** A refused client asks again for this long; the longest outage is far below. */
const PATIENCE_MS = 60_000;

/** What a client saw: the same for the same request, whatever happens to the cluster. */
export interface SeenAnswer {
  readonly id: string;
  /** By choice; which choice's event comes first is not promised. */
  readonly parts: Readonly<Record<string, readonly string[]>>;
  readonly completionTokens: number;
  readonly gapMs: number;
}

export interface WorkloadCounts {
  /** Compared with the undisturbed answer. */
  compared: number;
  /** Answered with an HTTP status that asks to come again. */
  refused: number;
  /** Left by their clients. */
  abandoned: number;
  longestGapMs: number;
}

/** Clients that ask a cluster for what they know the answers to. */
export class Workload {
  readonly counts: WorkloadCounts = { compared: 0, refused: 0, abandoned: 0, longestGapMs: 0 };
  /** What went otherwise than it should, each with what is needed to find it. */
  readonly problems: string[] = [];
  /** Completed requests: id → completion tokens. */
  readonly completed = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #model: string;
  readonly #key: string;
  readonly #expected = new Map<string, SeenAnswer['parts']>();

  constructor(cluster: Cluster, model: string, key: string) {
    this.#cluster = cluster;
    this.#model = model;
    this.#key = key;
  }

  /** Asks everything once while nothing disturbs the answers. */
  async learn(): Promise<void> {
    for (const kind of Object.keys(REQUEST_KINDS)) {
      const answer = await this.#ask(kind, () => 0);
      if (answer === null) throw new Error(`"${kind}" was refused by a whole cluster`);
      this.#expected.set(kind, answer.parts);
      this.completed.set(answer.id, answer.completionTokens);
    }
  }

  /** One client, which asks again and again until the signal. */
  async client(random: () => number, over: AbortSignal): Promise<void> {
    while (!over.aborted) await this.once(random);
  }

  /** One request: compared, or left by its client. Never rejects. */
  async once(random: () => number): Promise<void> {
    const kind = pick(Object.keys(REQUEST_KINDS), random);
    try {
      if (random() < 0.1) await this.#leave(kind, random);
      else await this.#compare(kind, random);
    } catch (error) {
      const text =
        error instanceof Error ? `${error.stack ?? error.message} ${String(error.cause ?? '')}` : String(error);
      this.#problem(`${kind}: ${text}`);
    }
  }

  #problem(text: string): void {
    this.problems.push(text);
    process.stderr.write(`${new Date().toISOString()} ${text}\n`);
  }

  async #compare(kind: string, random: () => number): Promise<void> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    let answer = await this.#ask(kind, random);
    while (answer === null) {
      if (performance.now() > giveUpAtMs) throw new Error(`was refused for ${PATIENCE_MS} ms`);
      answer = await this.#ask(kind, random);
    }
    this.counts.compared += 1;
    this.counts.longestGapMs = Math.max(this.counts.longestGapMs, answer.gapMs);
    if (this.completed.has(answer.id)) this.#problem(`${kind}: two answers with the id ${answer.id}`);
    this.completed.set(answer.id, answer.completionTokens);
    const [seen, expected] = [JSON.stringify(answer.parts), JSON.stringify(this.#expected.get(kind))];
    if (seen !== expected) this.#problem(`${kind}: request ${answer.id} differs: ${differenceOf(seen, expected)}`);
  }

  /** @returns null when the request was refused before anything was promised */
  async #ask(kind: string, random: () => number): Promise<SeenAnswer | null> {
    const response = await this.#post(kind, random);
    if (response.status === 503 || response.status === 429) {
      const retryAfterS = Number(response.headers.get('retry-after'));
      await response.arrayBuffer();
      if (!(retryAfterS > 0)) throw new Error(`status ${response.status} without Retry-After`);
      this.counts.refused += 1;
      await sleep(FIRST_REFUSAL_PAUSE_MS);
      return null;
    }
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    return kind === NOT_STREAMED ? wholeAnswer((await response.json()) as WholeBody) : streamedAnswer(response);
  }

  /** Goes before the answer is complete: in the queue, or after some events. */
  async #leave(kind: string, random: () => number): Promise<void> {
    const leaving = new AbortController();
    const timer = setTimeout(() => leaving.abort(), random() * 300);
    try {
      const response = await this.#post(kind, random, leaving.signal);
      await response.text();
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      this.counts.abandoned += 1;
    }
  }

  #post(kind: string, random: () => number, signal?: AbortSignal): Promise<Response> {
    const body = {
      model: this.#model,
      messages: [{ role: 'user', content: `Tell me about rivers and mills, please: ${kind}.` }],
      stream: true,
      stream_options: { include_usage: true },
      ignore_eos: true,
      ...REQUEST_KINDS[kind],
    };
    const init = { headers: { authorization: `Bearer ${this.#key}` }, ...(signal && { signal }) };
    return this.#cluster.post(body, init, pick(this.#cluster.apis, random));
  }
}

async function streamedAnswer(response: Response): Promise<SeenAnswer> {
  const { id, events, gapMs } = await readTimedStream(response);
  if (events.at(-1) !== '[DONE]') throw new Error(`request ${id} ended with ${events.at(-1)}`);
  const parts = Object.groupBy(events, (event) => /"index":(\d+)/.exec(event)?.[1] ?? 'all') as SeenAnswer['parts'];
  const { usage } = JSON.parse(events.at(-2) ?? '{}') as { usage: { completion_tokens: number } };
  return { id: bareId(id), parts, completionTokens: usage.completion_tokens, gapMs };
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

function differenceOf(seen: string, expected = ''): string {
  let at = 0;
  while (at < seen.length && seen[at] === expected[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 80), at + 120);
  return `…${around(seen)}… instead of …${around(expected)}…`;
}
