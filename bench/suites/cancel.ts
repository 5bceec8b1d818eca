import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { type ProductProcess, TEST_KEY } from '../../test/support/product-process.ts';
import { median, quantile } from '../report/statistics.ts';
import { differenceRow, limitRow, type Row } from '../report/suite-report.ts';

/** The shipped model: a fixture's steps are so short that 32 streams keep the API's loop busy with their text. */
const MODEL = 'smollm2-135m-instruct';
const STREAMS = 32;
/** What is allowed on top of one step of the engine. */
const ALLOWED_MS = 50;
const PROBES = 60;
const QUICK_PROBES = 10;
/** Chunks of a prompt, so that a cancel can come between two of them. */
const PREFILL_CHUNK_TOKENS = 32;
const PAUSE_MS = 20;
/** Until all streams have their prompts behind them. */
const SETTLE_MS = 6_000;
const ANSWER_WAIT_MS = 5_000;

/** What is asked for, so that a cancel a little later meets the request in a phase. */
interface Probe {
  readonly content: string;
  readonly stayMs: number;
  /** Streams that run beside it: with one less than there are slots it gets one at once. */
  readonly beside: number;
}

const PROBED: Readonly<Record<string, Probe>> = {
  rendering: { content: 'mill race '.repeat(2_000), stayMs: 5, beside: STREAMS - 1 },
  queued: { content: 'Tell me about mills.', stayMs: 100, beside: STREAMS },
  prefill: { content: 'mill '.repeat(200), stayMs: 250, beside: STREAMS - 1 },
  decode: { content: 'Tell me about mills.', stayMs: 1_500, beside: STREAMS - 1 },
};

/**
 * How long it takes from a client's leaving until its request is out of the queue, or its sequence out of the engine, while
 * 32 streams run: in each phase, by closed connections and by DELETE in turns. Measured from before the client acts until the
 * API's log says that it is done, by this process' clock; while a prompt is rendered by the API's, since its id is not known.
 */
export async function cancelSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const probes = quick ? QUICK_PROBES : PROBES;
  await using cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url)),
    api: { MILLRACE_LOG_LEVEL: 'debug' },
    worker: {
      MILLRACE_SLOTS: String(STREAMS),
      MILLRACE_SLOT_TOKENS: '512',
      MILLRACE_PREFILL_CHUNK: String(PREFILL_CHUNK_TOKENS),
      MILLRACE_PREFIX_CACHE_MB: '0',
      MILLRACE_PARKING_SLOTS: '0',
    },
  });
  await warmUp(cluster.api);
  const log = new CancelLog(cluster.api);
  /** p99 of the engine's steps while a phase was probed. */
  const stepMs: Record<string, number> = {};
  for (const [phase, { content, stayMs, beside }] of Object.entries(PROBED)) {
    const stepsMs: number[] = [];
    const over = new AbortController();
    const others = Array.from({ length: beside }, () => streamOn(cluster.api, over.signal, stepsMs));
    await sleep(SETTLE_MS);
    stepsMs.length = 0;
    for (let count = 0; count < probes; count++) {
      const client = await openClient(cluster.api, content);
      await sleep(stayMs * (0.5 + Math.random()));
      await leave(cluster.api, log, client, count % 2 === 0);
      await sleep(PAUSE_MS);
    }
    stepMs[phase] = quantile(stepsMs, 0.99);
    over.abort();
    await Promise.all(others);
  }
  await whileNobodyWorks(cluster, log);
  return Object.entries(Object.groupBy(log.cancelled, ({ phase }) => phase)).map(([phase, all = []]) => {
    const latencies = all.map(({ latencyMs }) => latencyMs);
    const name = `${phase}, p99 of ${all.length} (median ${median(latencies).toFixed(1)} ms)`;
    const oneStepMs = stepMs[phase];
    // No engine is left to wait for.
    if (oneStepMs === undefined) return limitRow(name, quantile(latencies, 0.99), 'ms', ALLOWED_MS);
    const peer = 'p99 of a step meanwhile';
    return differenceRow(name, quantile(latencies, 0.99), 'ms', peer, oneStepMs, ALLOWED_MS);
  });
}

/** The thread that renders long prompts compiles its code. */
async function warmUp(api: ProductProcess): Promise<void> {
  for (let count = 0; count < 5; count++) {
    const { socket } = await openClient(api, PROBED.rendering?.content ?? '');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
  }
}

/** One answer after another. @param stepsMs gets the times between their tokens: each is a step of the engine */
async function streamOn(api: ProductProcess, over: AbortSignal, stepsMs: number[]): Promise<void> {
  while (!over.aborted) {
    const { socket } = await openClient(api, 'Tell me about rivers.');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const leave = () => socket.destroy();
    over.addEventListener('abort', leave, { once: true });
    let lastMs: number | null = null;
    socket.on('data', (bytes: Buffer) => {
      const now = performance.now();
      const isToken = bytes.includes('"content"');
      if (isToken && lastMs !== null) stepsMs.push(now - lastMs);
      lastMs = isToken ? now : null;
      if (bytes.includes('[DONE]')) leave();
    });
    await closed;
    over.removeEventListener('abort', leave);
  }
}

async function leave(api: ProductProcess, log: CancelLog, { alias, socket }: Client, hangUp: boolean): Promise<void> {
  const id = await requestIdOf(api, alias);
  if (id !== null)
    await log.during(id, () => void (hangUp ? socket.destroy() : call(api, 'DELETE', id).catch(() => {})));
  // Not known to anybody yet, or over.
  socket.destroy();
}

/** Whose worker is lost, and who leave while they wait for another one. */
async function whileNobodyWorks(cluster: Cluster, log: CancelLog): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: STREAMS }, () => openClient(cluster.api, 'Tell me about mills.')),
  );
  await sleep(300);
  for (const worker of cluster.workers) await worker.stop('SIGKILL');
  await sleep(2_500);
  for (const [index, client] of clients.entries()) await leave(cluster.api, log, client, index % 2 === 0);
}

interface Cancelled {
  readonly phase: string;
  readonly latencyMs: number;
}

/** What the API says of cancels, as it says it. */
class CancelLog {
  readonly cancelled: Cancelled[] = [];
  readonly #wanted = new Map<string, { readonly sinceMs: number; readonly ended: () => void }>();
  #rest = '';

  constructor(api: ProductProcess) {
    api.child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  /** Ends a request by `act`, and waits until that is said to be done, unless its answer was complete just before. */
  async during(requestId: string, act: () => void): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#wanted.set(requestId, { sinceMs: performance.now(), ended: ended.resolve });
    act();
    const late = new AbortController();
    await Promise.race([ended.promise, sleep(ANSWER_WAIT_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    this.#wanted.delete(requestId);
  }

  #take(line: string): void {
    if (!line.includes('"msg":"cancelled"')) return;
    const { phase, requestId, latencyMs } = JSON.parse(line) as Cancelled & { requestId: string };
    const wanted = this.#wanted.get(requestId);
    // Its client left before it could know the request's id: by the API's own clock.
    if (phase === 'rendering') this.cancelled.push({ phase, latencyMs });
    else if (wanted !== undefined) this.cancelled.push({ phase, latencyMs: performance.now() - wanted.sinceMs });
    wanted?.ended();
  }
}

interface Client {
  readonly alias: string;
  readonly socket: Socket;
}

/** Sends a request for a stream, and reads what comes without looking at it. */
async function openClient(api: ProductProcess, content: string): Promise<Client> {
  const alias = `cancel-${Math.floor(Math.random() * 2 ** 53)}`;
  const { hostname, port } = new URL(api.url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on('error', () => {}).on('data', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  const messages = [{ role: 'user', content }];
  const body = JSON.stringify({ model: MODEL, messages, stream: true, ignore_eos: true, temperature: 0 });
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\nx-request-id: ${alias}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return { alias, socket };
}

/** Null when it is over, or not known to anybody yet. */
async function requestIdOf(api: ProductProcess, alias: string): Promise<string | null> {
  const { id, ended_at } = JSON.parse(await call(api, 'GET', alias)) as { id?: string; ended_at?: number | null };
  return id === undefined || ended_at !== null ? null : id;
}

/** The API may close a connection that was idle just as it is used again: then once more. */
async function call(api: ProductProcess, method: 'GET' | 'DELETE', id: string): Promise<string> {
  const ask = () => fetch(`${api.url}/v1/requests/${id}`, { method, headers: { authorization: `Bearer ${TEST_KEY}` } });
  return (await ask().catch(ask)).text();
}
