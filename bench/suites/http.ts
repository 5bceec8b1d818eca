import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { streamTimings } from '../clients/stream-timings.ts';
import { startLlamaCppPython } from '../peers/server/llama-cpp-python.ts';
import { startLlamaServer } from '../peers/server/llama-server.ts';
import { median, quantile, relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row, ratioRow } from '../report/suite-report.ts';
import type { StreamTimings } from './path.ts';

const MODEL = 'smollm2-135m-instruct';
const STREAMS = [1, 4, 16] as const;
/** Requests of one round: as many waves of answers as fit into some seconds. */
const REQUESTS: Readonly<Record<number, number>> = { 1: 3, 4: 8, 16: 16 };
const ANSWER_TOKENS = 64;
const QUICK_TOKENS = 16;
/** With the template some 128 tokens. */
const PROMPT_WORDS = 90;
const SLOT_TOKENS = 1_024;
const ROUNDS = 4;
const WORDS = 'time water people work river light place house world story music paper table night money part'.split(
  ' ',
);

interface Server {
  readonly name: string;
  readonly url: string;
  readonly key: string;
  /** What makes all answers of one length on this server. */
  readonly fields: object;
}
interface Samples {
  readonly tokensPerS: number[];
  readonly timings: StreamTimings;
}

/**
 * The whole product over HTTP (API, Redis, worker: built processes as `millrace up` starts them) against other servers on the
 * GGUF that the shipped model was made from: the same streamed requests from as many clients at once, in turns, all servers
 * up and the ones that are not asked idle.
 */
export async function httpSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
  const ggufFile = at(`peers/models/${MODEL}.gguf`);
  const installed = {
    python: existsSync(at('peers/server/.venv')),
    server: existsSync(at('peers/server/llama-server')),
  };
  if (!existsSync(ggufFile) || !(installed.python || installed.server))
    throw new Error('the peers are not installed: run bench/peers/install.sh --servers');
  const slots = Math.max(...STREAMS);
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(
    await Cluster.start({
      modelFolder: at(`../models/${MODEL}`),
      worker: { MILLRACE_SLOTS: String(slots), MILLRACE_SLOT_TOKENS: String(SLOT_TOKENS) },
    }),
  );
  const ours: Server = { name: 'Millrace', url: cluster.url, key: TEST_KEY, fields: { ignore_eos: true } };
  const peers: Server[] = [];
  if (installed.server) {
    const { url } = stack.use(await startLlamaServer(ggufFile, slots, SLOT_TOKENS));
    peers.push({
      name: "llama.cpp's llama-server",
      url,
      key: 'none',
      fields: { ignore_eos: true, cache_prompt: false },
    });
  }
  if (installed.python) {
    const { url } = stack.use(await startLlamaCppPython(ggufFile, SLOT_TOKENS));
    // `<|im_end|>` and `<|endoftext|>`: it knows no other way.
    const fields = { logit_bias: { '0': -100, '2': -100 } };
    peers.push({ name: "llama-cpp-python's server", url, key: 'none', fields });
  }

  const servers = [ours, ...peers];
  const answerTokens = quick ? QUICK_TOKENS : ANSWER_TOKENS;
  for (const server of servers) await round(server, { streams: 1, requests: 2, answerTokens, first: 0 }); // warms
  const rows: Row[] = [];
  let serial = 1;
  for (const streams of STREAMS) {
    const samples = servers.map((): Samples => ({ tokensPerS: [], timings: { ttftMs: [], interTokenMs: [] } }));
    for (let turn = 0; turn < (quick ? 1 : ROUNDS); turn += 1) {
      for (const [index, server] of servers.entries()) {
        const { tokensPerS, timings } = await round(server, {
          streams,
          requests: quick ? streams : (REQUESTS[streams] ?? streams),
          answerTokens,
          first: serial * 1_000,
        });
        samples[index]?.tokensPerS.push(tokensPerS);
        samples[index]?.timings.ttftMs.push(...timings.ttftMs);
        samples[index]?.timings.interTokenMs.push(...timings.interTokenMs);
      }
      serial += 1;
    }
    const [own, ...theirs] = samples;
    if (own === undefined) continue;
    for (const [index, other] of theirs.entries()) rows.push(...rowsOf(streams, own, other, peers[index]?.name ?? ''));
  }
  return rows;
}

interface Round {
  readonly streams: number;
  readonly requests: number;
  readonly answerTokens: number;
  /** Number of the first prompt, so that none is asked twice. */
  readonly first: number;
}

async function round({ name, url, key, fields }: Server, { streams, requests, answerTokens, first }: Round) {
  const beganMs = performance.now();
  const timings = await streamTimings({
    ...{ url, key, model: MODEL, streams, requests, answerTokens, fields },
    prompt: (number) => promptOf(first + number),
    freshConnections: true,
  }).catch((cause: unknown) => {
    throw new Error(`${name} failed ${requests} requests of ${streams} clients from number ${first} on`, { cause });
  });
  const seconds = (performance.now() - beganMs) / 1_000;
  const tokens = timings.ttftMs.length + timings.interTokenMs.length;
  // A token may be a piece of a character and then has no text of its own.
  if (tokens < 0.9 * requests * answerTokens)
    throw new Error(`${url} gave ${tokens} tokens with text where ${requests} × ${answerTokens} were asked for`);
  return { timings, tokensPerS: (requests * answerTokens) / seconds };
}

const promptOf = (number: number): string =>
  Array.from({ length: PROMPT_WORDS }, (_, i) => WORDS[(number * 7 + i * (number % 13) + i * i) % WORDS.length]).join(
    ' ',
  );

function rowsOf(streams: number, own: Samples, other: Samples, peer: string): Row[] {
  const title = `${streams} stream${streams === 1 ? '' : 's'}`;
  const spread = Math.max(relativeSpread(own.tokensPerS), relativeSpread(other.tokensPerS));
  const time = (name: string, of: (timings: StreamTimings) => number): Row =>
    ratioRow(`${title}: ${name}`, of(own.timings), 'ms', peer, of(other.timings));
  return [
    pairedRatioRow(
      `${title}: new tokens in all (spread ±${(spread * 100).toFixed(0)} %)`,
      own.tokensPerS,
      'tokens/s',
      peer,
      other.tokensPerS,
    ),
    time('TTFT p50', ({ ttftMs }) => median(ttftMs)),
    time('inter-token p50', ({ interTokenMs }) => median(interTokenMs)),
    time('inter-token p99', ({ interTokenMs }) => quantile(interTokenMs, 0.99)),
  ];
}
