import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Generated, GenerateTask } from '../generate-task.ts';
import { relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const STREAMS = 16;
const PROMPT_TOKENS = 128;
/** Prompts of streams whose decoding is measured and hardly anything else. */
const SHORT_PROMPT_TOKENS = 16;
const LONG_PROMPT_TOKENS = 512;
const NEW_TOKENS = 64;
/** Tokens of a slot, and what peers with a shared context get for each stream. */
const SLOT_TOKENS = 1024;
/** New tokens of a prompt in round 0, which warms caches and pages up, and in the quick form. */
const WARM_TOKENS = 4;
const QUICK_TOKENS = 16;

interface Peer {
  name: string;
  file: string;
  settings: Record<string, unknown>;
  /** It can also take prompts that are all known before in one padded batch, which no request can join. */
  batches?: boolean;
  /** The least ratio to it: decode of one stream, of 16 streams together, the same with their prompts, prefill. */
  targets: { decode?: number; streams?: number; total?: number; prefill?: number };
}

/** One measurement of a side: tokens a second. Calls that run one after another take long, so there are fewer rounds of them. */
const MEASURES = {
  decode: { streams: 1, promptTokens: PROMPT_TOKENS, newTokens: NEW_TOKENS, rounds: 7 },
  streams: { streams: STREAMS, promptTokens: SHORT_PROMPT_TOKENS, newTokens: NEW_TOKENS, rounds: 3 },
  total: { streams: STREAMS, promptTokens: PROMPT_TOKENS, newTokens: NEW_TOKENS, rounds: 3 },
  prefill: { streams: 1, promptTokens: LONG_PROMPT_TOKENS, newTokens: 2, rounds: 7 },
} as const;
const TITLES = {
  decode: 'decode, 1 stream',
  streams: `decode in all, ${STREAMS} streams (prompts of ${SHORT_PROMPT_TOKENS})`,
  total: `new tokens in all, ${STREAMS} requests at once with prompts of ${PROMPT_TOKENS}`,
  prefill: `prefill of ${LONG_PROMPT_TOKENS} tokens`,
};

/** A peer in one of the ways in which it can be asked. */
interface Entrant {
  readonly name: string;
  readonly side: Side;
  readonly together: boolean;
  readonly atLeast: number | undefined;
}

/** Our engine against what a user would run instead, on the same weights and prompts, in turns. */
export async function peersSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
  if (!existsSync(at('peers/node_modules')) || !existsSync(at('peers/models')))
    throw new Error('the peers are not installed: run bench/peers/install.sh');
  const shipped = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const llama = (ggufFile: string): Peer => ({
    name: 'node-llama-cpp',
    file: '../peers/node-llama-cpp.mjs',
    settings: { ggufFile, streams: STREAMS, contextTokens: SLOT_TOKENS },
    targets: { decode: 1.5, streams: 2.5, total: 2.5, prefill: 1.3 },
  });
  const shippedRows = await compare('SmolLM2-135M', shipped, quick, [
    {
      name: 'transformers.js',
      file: '../peers/transformers-js.mjs',
      settings: { modelFolder: shipped },
      batches: true,
      targets: { decode: 1.3, streams: 4, total: 4 },
    },
    {
      name: 'onnxruntime-genai',
      file: '../peers/genai.mjs',
      settings: { modelFolder: shipped },
      batches: true,
      targets: { decode: 1, streams: 1.5, total: 1.5 },
    },
    llama(at('peers/models/smollm2-135m-instruct.gguf')),
  ]);
  if (quick) return shippedRows;
  const random = at('peers/models/random-0.5b');
  return [...shippedRows, ...(await compare('0.5B shape', random, quick, [llama(`${random}.gguf`)]))];
}

async function compare(model: string, modelFolder: string, quick: boolean, peers: Peer[]): Promise<Row[]> {
  await using sides = new AsyncDisposableStack();
  const start = async (file: string, settings: Record<string, unknown>) => sides.use(await Side.start(file, settings));
  const ours = await start('engine-generate.ts', { modelFolder, slots: STREAMS, slotTokens: SLOT_TOKENS });
  const theirs: { peer: Peer; side: Side }[] = [];
  for (const peer of peers) theirs.push({ peer, side: await start(peer.file, peer.settings) });

  const rows: Row[] = [];
  for (const measure of ['decode', 'streams', 'total', 'prefill'] as const) {
    const entrants = theirs.flatMap(({ peer, side }) => entrantsOf(peer, side, measure));
    const own: number[] = [];
    const samples: number[][] = entrants.map(() => []);
    const rounds = quick ? 1 : MEASURES[measure].rounds;
    for (let round = quick ? 1 : 0; round <= rounds; round++) {
      const most = round === 0 ? WARM_TOKENS : quick ? QUICK_TOKENS : NEW_TOKENS;
      const rate = await rateOf(ours, measure, round, most, false);
      if (round > 0) own.push(rate);
      for (const [index, { side, together }] of entrants.entries()) {
        const theirRate = await rateOf(side, measure, round, most, together);
        if (round > 0) samples[index]?.push(theirRate);
      }
    }
    for (const [index, { name, atLeast }] of entrants.entries()) {
      const rates = samples[index] ?? [];
      const spread = Math.max(relativeSpread(own), relativeSpread(rates));
      const title = `${model}: ${TITLES[measure]} (spread ±${(spread * 100).toFixed(0)} %)`;
      rows.push(pairedRatioRow(title, own, 'tokens/s', name, rates, atLeast));
    }
  }
  return rows;
}

/**
 * The targets for 16 streams are for requests, which come on their own: a call for each. A batch that somebody made of them
 * before is the peer's best case and is shown beside it.
 */
function entrantsOf(peer: Peer, side: Side, measure: keyof typeof MEASURES): Entrant[] {
  const { name, batches = false, targets } = peer;
  const single = { side, together: false, atLeast: targets[measure] };
  if (MEASURES[measure].streams === 1 || !batches) return [{ ...single, name }];
  return [
    { ...single, name: `${name}, ${STREAMS} calls at once` },
    {
      side,
      together: true,
      atLeast: undefined,
      name: `${name}, its best case: one padded batch of prompts known before`,
    },
  ];
}

/**
 * Tokens a second of one measurement; every round has other prompts, so that no side can know one already.
 * @param most new tokens of a prompt at most
 */
async function rateOf(
  side: Side,
  measure: keyof typeof MEASURES,
  round: number,
  most: number,
  together: boolean,
): Promise<number> {
  const { streams, promptTokens } = MEASURES[measure];
  const newTokens = Math.min(most, MEASURES[measure].newTokens);
  const task: GenerateTask = { prompts: promptsOf(streams, promptTokens, round), newTokens, together };
  const { tokens, firstMs, endMs } = await side.measure<Generated>({ ...task });
  const made = tokens.map((row) => row.length);
  if (made.length !== streams || made.some((count) => count !== newTokens))
    throw new Error(`a side made ${made.join(', ')} tokens where ${streams} × ${newTokens} were asked for`);
  if (measure === 'prefill') return (promptTokens / firstMs) * 1000;
  if (measure === 'decode') return ((newTokens - 1) / (endMs - firstMs)) * 1000;
  return ((streams * newTokens) / endMs) * 1000;
}

function promptsOf(streams: number, length: number, round: number): number[][] {
  return Array.from({ length: streams }, (_, row) =>
    Array.from({ length }, (_, i) => ((i * 37 + row * 101 + round * 1009 + ((i * i) % 61)) % 4000) + 300),
  );
}
