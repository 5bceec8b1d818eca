import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Generated, GenerateTask } from '../generate-task.ts';
import { relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const ROUNDS = 7;
const STREAMS = 16;
const PROMPT_TOKENS = 128;
const LONG_PROMPT_TOKENS = 512;
const NEW_TOKENS = 64;
/** Tokens of a slot, and what peers with a shared context get for each stream. */
const SLOT_TOKENS = 1024;

interface Peer {
  name: string;
  file: string;
  settings: Record<string, unknown>;
  /** The least ratio to it: decode of one stream, tokens of 16 streams, prefill. */
  targets: { decode?: number; total?: number; prefill?: number };
}

/** One measurement of a side: tokens a second. */
const MEASURES = {
  decode: { streams: 1, promptTokens: PROMPT_TOKENS, newTokens: NEW_TOKENS, unit: 'tokens/s' },
  total: { streams: STREAMS, promptTokens: PROMPT_TOKENS, newTokens: NEW_TOKENS, unit: 'tokens/s' },
  prefill: { streams: 1, promptTokens: LONG_PROMPT_TOKENS, newTokens: 2, unit: 'tokens/s' },
} as const;
const TITLES = {
  decode: 'decode, 1 stream',
  total: `new tokens in all, ${STREAMS} streams with prompts of ${PROMPT_TOKENS}`,
  prefill: `prefill of ${LONG_PROMPT_TOKENS} tokens`,
};

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
    targets: { decode: 1.5, total: 2.5, prefill: 1.3 },
  });
  const shippedRows = await compare('SmolLM2-135M', shipped, quick, [
    {
      name: 'transformers.js',
      file: '../peers/transformers-js.mjs',
      settings: { modelFolder: shipped },
      targets: { decode: 1.3, total: 4 },
    },
    {
      name: 'onnxruntime-genai',
      file: '../peers/genai.mjs',
      settings: { modelFolder: shipped },
      targets: { decode: 1, total: 1.5 },
    },
    llama(at('peers/models/smollm2-135m-instruct.gguf')),
  ]);
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
  for (const measure of ['decode', 'total', 'prefill'] as const) {
    const rates = new Map<Side, number[]>([ours, ...theirs.map(({ side }) => side)].map((side) => [side, []]));
    const rounds = quick ? 1 : ROUNDS;
    for (let round = 0; round <= rounds; round++) {
      for (const [side, samples] of rates) {
        const rate = await rateOf(side, measure, round);
        // Round 0 warms caches and pages up.
        if (round > 0) samples.push(rate);
      }
    }
    const own = rates.get(ours) ?? [];
    for (const { peer, side } of theirs) {
      const samples = rates.get(side) ?? [];
      const spread = Math.max(relativeSpread(own), relativeSpread(samples));
      const name = `${model}: ${TITLES[measure]} (spread ±${(spread * 100).toFixed(0)} %)`;
      rows.push(pairedRatioRow(name, own, MEASURES[measure].unit, peer.name, samples, peer.targets[measure]));
    }
  }
  return rows;
}

/** Tokens a second of one measurement; every round has other prompts, so that no side can know one already. */
async function rateOf(side: Side, measure: keyof typeof MEASURES, round: number): Promise<number> {
  const { streams, promptTokens, newTokens } = MEASURES[measure];
  const task: GenerateTask = { prompts: promptsOf(streams, promptTokens, round), newTokens };
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
