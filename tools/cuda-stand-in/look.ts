import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inspectModel, openModelRunner } from '#model-runner';

/**
 * What ONNX Runtime's CUDA provider does with a model on the stand-in for CUDA's runtime: which provider computes which operators, and what a prompt and
 * two decode runs copy and launch (`CUDA_STAND_IN_LOG`, where each begins with a line of its own). What is computed means nothing.
 */
const { positionals } = parseArgs({ allowPositionals: true });
const [modelFile] = positionals;
if (modelFile === undefined) {
  console.error('Name the model.onnx to look at.');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'cuda-stand-in-'));
const { vocabularySize } = await inspectModel(modelFile);
const runner = await openModelRunner({
  ...{ modelFile, slots: 4, parkingSlots: 1, slotTokens: 256, maxChunkTokens: 64, prefixCacheBytes: 1 << 20 },
  ...{ threads: 1, binding: 'c-api', providers: ['cuda'], profilePrefix: join(folder, 'run') },
  onFallback: (reason) => console.log(`fallback: ${reason}`),
});
const prompt = Int32Array.from({ length: 40 }, (_, i) => i % vocabularySize);
const runs: [string, () => void | Promise<void>][] = [
  ['prompt', () => runner.prefill(0, prompt, 0)],
  ['rest of a prompt', () => runner.prefill(0, prompt, prompt.length)],
  ['decode', () => runner.decode(2, prompt, Int32Array.of(2 * prompt.length, 0))],
  ['decode again', () => runner.decode(2, prompt, Int32Array.of(2 * prompt.length + 1, 1))],
];
for (const [name, run] of runs) {
  const log = process.env.CUDA_STAND_IN_LOG;
  if (log !== undefined) appendFileSync(log, `# ${name}\n`);
  await run();
}
await runner.close();

interface ProfiledNode {
  readonly cat?: string;
  readonly args?: { readonly op_name?: string; readonly provider?: string; readonly input_type_shape?: object[] };
}
const operators = new Set<string>();
for (const file of readdirSync(folder)) {
  const events: ProfiledNode[] = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  for (const { cat, args } of events)
    if (cat === 'Node' && args?.op_name !== undefined)
      operators.add(`${args.provider} ${args.op_name} ${(args.input_type_shape ?? []).flatMap(Object.keys).join(' ')}`);
}
rmSync(folder, { recursive: true });
for (const operator of [...operators].sort()) console.log(operator);
