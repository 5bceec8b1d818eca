import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Generated, GenerateTask } from '../generate-task.ts';
import type { OperatorTimes, RunTimes } from '../report/operator-times.ts';
import { median } from '../report/statistics.ts';
import type { Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import { benchPrompt } from '../sides/bare-loop-task.ts';
import type { PlainRuns, ProfiledRuns } from '../sides/profiled-runs.ts';

const PAST_TOKENS = 128;
const PROMPT_TOKENS = 512;
const STEPS = 32;
/** Streams whose shared steps are looked at beside those of one. */
const BATCH = 16;
const ROUNDS = 5;
/** More than caches hold. */
const READ_BYTES_OF_THREAD = 256 * 1024 * 1024;
/** Of a run's time; what takes less is summed up. */
const LEAST_SHARE = 0.02;

interface Model {
  readonly name: string;
  readonly folder: string;
  readonly ggufFile: string;
}

/**
 * Where a token's time goes: the operators of a decode run of one row and of many, and of one prompt, by ONNX Runtime's own profile, beside what
 * reading their weights takes at the speed at which this machine reads memory in the same run. Nobody's decode of one stream can be quicker
 * than its bytes; node-llama-cpp's time for a token stands beside it where the peers are installed.
 */
export async function operatorsSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
  const random = { folder: at('peers/models/random-0.5b'), ggufFile: at('peers/models/random-0.5b.gguf') };
  const models: Model[] = [
    {
      name: 'SmolLM2-135M',
      folder: at('../models/smollm2-135m-instruct'),
      ggufFile: at('peers/models/smollm2-135m-instruct.gguf'),
    },
    { name: '0.5B shape', ...random },
    { ...random, name: '0.5B shape, quick', folder: at('peers/models/random-0.5b-quick') },
  ];
  await using read = await Side.start('read-speed.ts', { bytesOfThread: READ_BYTES_OF_THREAD });
  const rows: Row[] = [];
  for (const model of models.filter(({ folder }) => existsSync(folder))) {
    const measured = await measure(model, read, at('peers/node_modules'), quick ? 1 : ROUNDS);
    rows.push(...measured);
  }
  return rows;
}

async function measure(model: Model, read: Side, peers: string, rounds: number): Promise<Row[]> {
  await using sides = new AsyncDisposableStack();
  const ours = sides.use(
    await Side.start('profiled-runs.ts', {
      modelFile: `${model.folder}/model.onnx`,
      pastTokens: PAST_TOKENS,
      promptTokens: PROMPT_TOKENS,
      steps: STEPS,
      batch: BATCH,
    }),
  );
  const llama =
    existsSync(peers) && existsSync(model.ggufFile)
      ? sides.use(
          await Side.start('../peers/node-llama-cpp.mjs', {
            ggufFile: model.ggufFile,
            streams: 1,
            contextTokens: 2 * PROMPT_TOKENS,
          }),
        )
      : null;
  const samples = {
    read: [] as number[],
    decode: [] as number[],
    batch: [] as number[],
    prompt: [] as number[],
    llama: [] as number[],
  };
  // Round 0 warms caches and pages up.
  for (let round = 0; round <= rounds; round++) {
    const bytesPerMs = (await read.measure<number>({})) / 1_000;
    const plain = await ours.measure<PlainRuns>({ kind: 'plain' });
    const peerMs = llama === null ? null : await peerTokenMs(llama, round);
    if (round === 0) continue;
    samples.read.push(bytesPerMs);
    samples.decode.push(median(plain.decodeMs));
    samples.batch.push(median(plain.batchMs));
    samples.prompt.push(plain.promptMs);
    if (peerMs !== null) samples.llama.push(peerMs);
  }
  const { decode, batch, prompt } = await ours.measure<ProfiledRuns>({ kind: 'profiled' });
  const bytesPerMs = median(samples.read);
  const name = (what: string) => `${model.name}: ${what}`;
  const bytes = decode.operators.reduce((sum, operator) => sum + operator.bytes, 0);
  const megabytes = (count: number) => `${(count / 1e6).toFixed(1)} MB`;
  const gigabytesPerSecond = (bytesPerMs / 1e6).toFixed(1);
  const reading = (count: number) => `${megabytes(count)} read at ${gigabytesPerSecond} GB/s`;
  const rows: Row[] = [
    row(name('a token of 1 stream'), median(samples.decode), reading(bytes), bytes / bytesPerMs),
    ...(samples.llama.length === 0
      ? []
      : [row(name('a token of 1 stream'), median(samples.decode), 'node-llama-cpp', median(samples.llama))]),
    ...shares(decode).map(({ kind, count, ms, bytes: read }) =>
      row(name(`decode, ${count} × ${kind}`), ms, read === 0 ? null : reading(read), read / bytesPerMs),
    ),
    row(name(`a step of ${BATCH} streams`), median(samples.batch), null, 0),
    ...shares(batch).map((share) => row(name(`${BATCH} streams, ${withSpeed(share)}`), share.ms, null, 0)),
    row(name(`a prompt of ${PROMPT_TOKENS}`), median(samples.prompt), null, 0),
    ...shares(prompt).map((share) => row(name(`prompt, ${withSpeed(share)}`), share.ms, null, 0)),
  ];
  return rows;
}

function withSpeed({ kind, count, ms, operations }: OperatorTimes): string {
  const speed = operations === 0 ? '' : ` (${(operations / ms / 1e6).toFixed(0)} GFLOP/s)`;
  return `${count} × ${kind}${speed}`;
}

const row = (name: string, ms: number, peer: string | null, peerMs: number): Row => ({
  name,
  value: ms,
  unit: 'ms',
  peer,
  peerValue: peer === null ? null : peerMs,
  ratio: peer === null ? null : ms / peerMs,
  target: null,
  holds: null,
});

/** The operators that take some of the run's time, the others together, and what passes between operators. */
function shares({ ms, operators }: RunTimes): OperatorTimes[] {
  const large = operators.filter((operator) => operator.ms >= LEAST_SHARE * ms);
  const others = operators.filter((operator) => operator.ms < LEAST_SHARE * ms);
  const sum = (of: readonly OperatorTimes[], part: 'ms' | 'count' | 'bytes') =>
    of.reduce((total, operator) => total + operator[part], 0);
  const rest = (kind: string, count: number, restMs: number, bytes: number): OperatorTimes => ({
    kind,
    count,
    ms: restMs,
    bytes,
    operations: 0,
  });
  return [
    ...large,
    rest('other operators', sum(others, 'count'), sum(others, 'ms'), sum(others, 'bytes')),
    rest('between operators, the profile included', 1, Math.max(0, ms - sum(operators, 'ms')), 0),
  ];
}

async function peerTokenMs(llama: Side, round: number): Promise<number> {
  const task: GenerateTask = { prompts: [[...benchPrompt(PAST_TOKENS, round)]], newTokens: STEPS + 1 };
  const { firstMs, endMs } = await llama.measure<Generated>({ ...task });
  return (endMs - firstMs) / STEPS;
}
