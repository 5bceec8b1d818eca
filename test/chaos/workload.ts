import type { Cluster } from '../support/cluster.ts';
import { Exchange, type SeenAnswer } from './exchange.ts';
import { REQUEST_KINDS } from './request-kinds.ts';
import { pick } from './seeded-random.ts';

/** Of all requests, those whose clients go before the answer is complete. */
const LEFT = 0.1;
/** Of all requests, those with an `Idempotency-Key`, whose clients come back when their replica is ended. */
const KEPT = 0.4;
/** Of those, the ones that are asked once more when they were answered. */
const ASKED_AGAIN = 0.25;

export interface WorkloadCounts {
  /** Compared with the undisturbed answer. */
  compared: number;
  /** Answered with an HTTP status that asks to come again. */
  refused: number;
  /** Left by their clients. */
  abandoned: number;
  /** Gone with an API replica; only without an `Idempotency-Key`. */
  lost: number;
  /** Connections that went on with an answer whose replica was ended. */
  resumed: number;
  longestGapMs: number;
}

/** Clients that ask a cluster for what they know the answers to. */
export class Workload {
  readonly counts: WorkloadCounts = { compared: 0, refused: 0, abandoned: 0, lost: 0, resumed: 0, longestGapMs: 0 };
  /** What went otherwise than it should, each with what is needed to find it. */
  readonly problems: string[] = [];
  /** Completed requests: id → completion tokens. */
  readonly completed = new Map<string, number>();
  /** Requests of which something was seen. */
  readonly begun = new Set<string>();
  readonly #cluster: Cluster;
  readonly #model: string;
  readonly #apiKey: string;
  readonly #expected = new Map<string, SeenAnswer['parts']>();
  /** Of all requests, those with an `Idempotency-Key`. */
  kept = KEPT;
  #idempotencyKeys = 0;

  constructor(cluster: Cluster, model: string, apiKey: string) {
    this.#cluster = cluster;
    this.#model = model;
    this.#apiKey = apiKey;
  }

  /** Asks everything once while nothing disturbs the answers. */
  async learn(): Promise<void> {
    for (const kind of Object.keys(REQUEST_KINDS)) {
      const answer = await this.#exchange(kind, () => 0, null).run();
      if (answer === null) throw new Error(`"${kind}" was lost in a whole cluster`);
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
    const idempotencyKey = random() < this.kept ? this.#newIdempotencyKey() : null;
    try {
      if (random() < LEFT) await this.#leave(kind, random, idempotencyKey);
      else await this.#compare(kind, random, idempotencyKey);
    } catch (error) {
      const text =
        error instanceof Error ? `${error.stack ?? error.message} ${String(error.cause ?? '')}` : String(error);
      this.#problem(`${kind}, ${idempotencyKey ?? 'no key'}: ${text}`);
    }
  }

  #newIdempotencyKey(): string {
    this.#idempotencyKeys += 1;
    return `chaos-${this.#idempotencyKeys}`;
  }

  #problem(text: string): void {
    this.problems.push(text);
    process.stderr.write(`${new Date().toISOString()} ${text}\n`);
  }

  #exchange(kind: string, random: () => number, idempotencyKey: string | null, signal?: AbortSignal): Exchange {
    const cluster = this.#cluster;
    const parts = { cluster, model: this.#model, apiKey: this.#apiKey, kind, random, idempotencyKey };
    return new Exchange({ ...parts, ...(signal && { signal }) });
  }

  async #compare(kind: string, random: () => number, idempotencyKey: string | null): Promise<void> {
    const answer = await this.#run(this.#exchange(kind, random, idempotencyKey));
    if (answer === null) {
      this.counts.lost += 1;
      return;
    }
    this.counts.compared += 1;
    this.counts.longestGapMs = Math.max(this.counts.longestGapMs, answer.gapMs);
    if (this.completed.has(answer.id)) this.#problem(`${kind}: two answers with the id ${answer.id}`);
    this.completed.set(answer.id, answer.completionTokens);
    this.#check(kind, answer);
    if (idempotencyKey === null || random() >= ASKED_AGAIN) return;
    const again = await this.#run(this.#exchange(kind, random, idempotencyKey));
    if (again?.id !== answer.id)
      this.#problem(`${kind}: ${idempotencyKey} was run as ${answer.id} and as ${again?.id}`);
    if (again !== null) this.#check(kind, again);
  }

  #check(kind: string, { id, parts }: SeenAnswer): void {
    const [seen, expected] = [JSON.stringify(parts), JSON.stringify(this.#expected.get(kind))];
    if (seen !== expected) this.#problem(`${kind}: request ${id} differs: ${differenceOf(seen, expected)}`);
  }

  /** Goes before the answer is complete: in the queue, or after some events. */
  async #leave(kind: string, random: () => number, idempotencyKey: string | null): Promise<void> {
    const leaving = new AbortController();
    const timer = setTimeout(() => leaving.abort(), random() * 300);
    try {
      await this.#run(this.#exchange(kind, random, idempotencyKey, leaving.signal));
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      this.counts.abandoned += 1;
    }
  }

  async #run(exchange: Exchange): Promise<SeenAnswer | null> {
    try {
      return await exchange.run();
    } finally {
      this.counts.refused += exchange.refusals;
      this.counts.resumed += exchange.resumptions;
      if (exchange.id !== '') this.begun.add(exchange.id);
    }
  }
}

function differenceOf(seen: string, expected = ''): string {
  let at = 0;
  while (at < seen.length && seen[at] === expected[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 80), at + 120);
  return `…${around(seen)}… instead of …${around(expected)}…`;
}
