import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { type ProductProcess, TEST_KEY } from '../../test/support/product-process.ts';
import { quantile } from '../report/statistics.ts';
import { limitRow, pairedRatioRow, type Row } from '../report/suite-report.ts';

const MODEL = 'tiny-llama';
const SLOTS = 32;
const OTHERS = 8;
/** Streams of so much text that one which nobody reads fills every buffer on its way. */
const HEAVY = 4;
const HEAVY_CHOICES = 4;
const ROUNDS = 12;
const QUICK_ROUNDS = 4;
const ROUND_MS = 4_000;
/** What may wait for a client before it is disconnected (`MILLRACE_STREAM_BUFFER_BYTES`), and what else a stream takes. */
const BUFFER_BYTES = 1024 * 1024;
const MEBIBYTE = 1024 * 1024;
const SAMPLE_MS = 50;

interface Round {
  readonly interTokenMs: readonly number[];
  readonly mostResidentBytes: number;
}

/**
 * What clients that open a stream and do not read it cost the others: the time between two tokens of eight streams while four
 * streams with log probabilities of all choices are left unread, against the same while those are read; and what the API
 * takes of the machine's memory meanwhile. In turns, round by round.
 */
export async function readersSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  await using cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../test/fixtures/models/${MODEL}`, import.meta.url)),
    api: { MILLRACE_STREAM_BUFFER_BYTES: String(BUFFER_BYTES) },
    worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1' },
  });
  const unread: Round[] = [];
  const read: Round[] = [];
  for (let round = 0; round <= (quick ? QUICK_ROUNDS : ROUNDS); round++) {
    const first = round % 2 === 0;
    const one = await roundOf(cluster.api, first);
    const other = await roundOf(cluster.api, !first);
    if (round === 0) continue; // warms caches, connections and the JIT
    unread.push(first ? one : other);
    read.push(first ? other : one);
  }
  const p99 = (rounds: readonly Round[]) => rounds.map(({ interTokenMs }) => 1_000 / quantile(interTokenMs, 0.99));
  const most = (rounds: readonly Round[]) => Math.max(...rounds.map(({ mostResidentBytes }) => mostResidentBytes));
  const growth = (most(unread) - most(read)) / MEBIBYTE;
  const atMost = (HEAVY * 2 * BUFFER_BYTES) / MEBIBYTE + 16;
  const peer = 'the same streams, read';
  return [
    pairedRatioRow(
      'tokens/s of the others at their inter-token p99, beside unread streams',
      p99(unread),
      'tokens/s',
      peer,
      p99(read),
      0.909,
    ),
    limitRow('resident bytes of the API beyond those with the streams read', growth, 'MiB', atMost),
  ];
}

async function roundOf(api: ProductProcess, leaveUnread: boolean): Promise<Round> {
  const over = new AbortController();
  const interTokenMs: number[] = [];
  let mostResidentBytes = 0;
  const sampling = setInterval(() => {
    mostResidentBytes = Math.max(mostResidentBytes, residentBytes(api.child.pid));
  }, SAMPLE_MS);
  const streams = [
    ...Array.from({ length: HEAVY }, () => again(api, heavy, over.signal, leaveUnread ? 'leave unread' : 'read')),
    ...Array.from({ length: OTHERS }, () => again(api, light, over.signal, interTokenMs)),
  ];
  await sleep(ROUND_MS);
  clearInterval(sampling);
  over.abort();
  await Promise.all(streams);
  return { interTokenMs, mostResidentBytes };
}

const messages = [{ role: 'user', content: 'Tell me about mills.' }];
const light = { model: MODEL, messages, stream: true, ignore_eos: true, temperature: 0, max_tokens: 400 };
const heavy = { ...light, n: HEAVY_CHOICES, temperature: 1, seed: 1, logprobs: true, top_logprobs: 20 };

/** One stream after another, until the signal. @param into where the times between tokens go */
async function again(
  api: ProductProcess,
  request: object,
  over: AbortSignal,
  into: number[] | 'read' | 'leave unread',
): Promise<void> {
  while (!over.aborted) {
    const socket = await post(api, request);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const end = () => socket.destroy();
    over.addEventListener('abort', end, { once: true });
    if (into === 'leave unread') socket.pause();
    else socket.on('data', timing(into === 'read' ? null : into, end));
    await closed;
    over.removeEventListener('abort', end);
  }
}

function timing(into: number[] | null, end: () => void): (bytes: Buffer) => void {
  let lastMs: number | null = null;
  return (bytes) => {
    const now = performance.now();
    if (bytes.includes('"content"')) {
      if (lastMs !== null) into?.push(now - lastMs);
      lastMs = now;
    }
    if (bytes.includes('[DONE]')) end();
  };
}

async function post(api: ProductProcess, request: object): Promise<Socket> {
  const { hostname, port } = new URL(api.url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  const body = JSON.stringify(request);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return socket;
}

function residentBytes(pid: number | undefined): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1_024;
}
