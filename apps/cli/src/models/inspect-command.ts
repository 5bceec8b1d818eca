import { join } from 'node:path';
import { InspectSettings, readSettings } from '#config';
import type { SamplingDefaults } from '#contracts';
import { resolveModelFolder } from '#models';
import { packageRoot } from '../package-root.ts';
import { megabytes } from './import-command.ts';
import { type Inspection, inspectFolder } from './inspect-folder.ts';

export interface InspectFlags {
  readonly slots: number;
  readonly slotTokens: number;
  readonly load: boolean;
  readonly json?: boolean;
}

/**
 * `millrace models inspect`: what a worker would make of a folder.
 * @throws ConfigurationError
 * @returns 0, or 1 when something keeps the folder from being served
 */
export async function inspectCommand(nameOrPath: string, flags: InspectFlags): Promise<number> {
  const folder = await resolveModelFolder(nameOrPath, [join(packageRoot(), 'models')]);
  const { MILLRACE_CPU_PRODUCTS: products, MILLRACE_KV_TYPE: kvType } = readSettings(InspectSettings);
  const inspection = await inspectFolder(folder, { ...flags, cpu: { products, kvType } });
  console.log(flags.json ? JSON.stringify(inspection, null, 2) : inspectionText(inspection));
  return inspection.problems.length === 0 ? 0 : 1;
}

export function inspectionText(inspection: Inspection): string {
  const { decoder, tokenizer, path, memory, problems } = inspection;
  const unknown = 'not found out';
  const lines = [
    ['folder', `${inspection.folder} (${megabytes(inspection.fileBytes)})`],
    ['architecture', inspection.architecture ?? unknown],
    [
      'decoder',
      decoder === null
        ? unknown
        : `${decoder.layers} layers${decoder.states === null ? '' : ' with keys and values'} of ${inspection.hidden ?? '?'}, ${inspection.heads ?? '?'} heads, ${decoder.kvHeads} for keys and values, of ${decoder.headSize}`,
    ],
    [
      'context',
      inspection.contextLength === null ? unknown : `${inspection.contextLength} tokens${longContext(inspection)}`,
    ],
    ['vocabulary', inspection.vocabularySize === null ? unknown : `${inspection.vocabularySize} tokens`],
    ['tokenizer', tokenizer === null ? unknown : `${tokenizer.kind}, ${tokenizer.controlTokens} control tokens`],
    ['template', inspection.templateCharacters === null ? unknown : `${inspection.templateCharacters} characters`],
    ['ends at', inspection.eosTokens.map(({ id, text }) => `${id} ${text}`.trim()).join(', ') || unknown],
    ['sampling', inspection.samplingDefaults === null ? unknown : sampling(inspection.samplingDefaults)],
    ['inputs', decoder === null ? unknown : `${decoder.inputs.join(', ')}; logits of the ${decoder.logits}`],
    [
      'KV values',
      decoder === null
        ? unknown
        : `${decoder.kvType}${kept(decoder)}, ${decoder.tokenBytes} bytes for a token${window(decoder.slidingWindow)}`,
    ],
    ...(decoder?.states ? [['states', states(decoder.states)]] : []),
    ...(decoder?.changes.length ? [['graph', `changed as it is loaded: ${decoder.changes.join('; ')}`]] : []),
    ['KV cache', path === null ? (decoder?.attention ?? unknown) : `${path.kvCache}: ${path.reasons.join('; ')}`],
    ['products', path === null ? unknown : ownOf(path.ownProducts)],
    ['attention', path === null ? unknown : ownOf(path.ownAttention)],
    ['bits', path === null ? unknown : bits(path.runInvariant, decoder?.states?.inPrefixCache ?? null)],
    ['CUDA graphs', decoder === null ? unknown : capture(decoder)],
    ['binding', path === null ? unknown : `${path.binding}, ONNX Runtime ${path.runtimeVersion}, ${path.provider}`],
    [
      'memory',
      memory === null
        ? unknown
        : `${megabytes(memory.kvBytes)} of KV cache${stateMemory(memory.stateBytes)} at ${memory.slots} slots of ${memory.slotTokens} tokens, besides the weights`,
    ],
  ];
  const shown = lines.map(([name, value]) => `${name?.padEnd(14)}${value}`);
  if (problems.length === 0) return [...shown, '', 'A worker can serve it.'].join('\n');
  const found = problems.map(({ file, problem, remedy }) => `  - ${file}: ${problem}. Remedy: ${remedy}`);
  return [...shown, '', 'A worker cannot serve it as it is:', ...found].join('\n');
}

function longContext({ longContextLength }: Inspection): string {
  return longContextLength === null
    ? ''
    : `; with longer slots ${longContextLength}, all with the longer of two rotary tables (LongRoPE)`;
}

/** What is taken where a request says nothing. */
function sampling(recommended: SamplingDefaults): string {
  const said = Object.entries(recommended).map(([name, value]) => `${name} ${value}`);
  return said.length === 0
    ? 'generation_config.json recommends nothing'
    : `${said.join(', ')} where a request does not say`;
}

function ownOf(count: number): string {
  return count === 0 ? "ONNX Runtime's" : `${count} by our own library, others by ONNX Runtime`;
}

/** @param keepsStates whether states are kept for later prompts; null for a model without any */
function bits(runInvariant: boolean, keepsStates: boolean | null): string {
  if (keepsStates === false)
    return runInvariant ? 'a token has the same in any run' : "decode runs' may differ from a prompt's";
  if (keepsStates === true)
    return runInvariant
      ? 'a token has the same in any run: answers are kept for later prompts'
      : "decode runs' may differ from a prompt's: answers are computed again in later prompts";
  return runInvariant
    ? 'a token has the same in any run: answers are kept for later prompts, and several tokens are verified at a time'
    : "decode runs' may differ from a prompt's: answers are computed again in later prompts, and no tokens are verified at a time by default";
}

function states({
  count,
  bytes,
  inputs,
  inPrefixCache,
}: NonNullable<NonNullable<Inspection['decoder']>['states']>): string {
  const prefixes = inPrefixCache
    ? 'They are kept for later prompts where chunks, prompts and answers end'
    : 'They are too large to be kept for later prompts (no prefix cache)';
  return (
    `${count} of a fixed size, ${bytes} bytes for a sequence: ${inputs[0]}${count > 1 ? '…' : ''}. ${prefixes}. ` +
    'No tokens are verified at a time, each choice of n computes its prompt, and it runs on the CPU only'
  );
}

function stateMemory(bytes: number): string {
  return bytes === 0 ? '' : ` and ${megabytes(bytes)} of states`;
}

/** What the graph shows; a start says in the end what ONNX Runtime makes of it (decision 0041). */
function capture({ captureProblem, cacheType }: NonNullable<Inspection['decoder']>): string {
  if (captureProblem !== null) return `decode runs can not be captured: ${captureProblem}`;
  return cacheType === 'float16'
    ? 'decode runs can be captured (MILLRACE_CUDA_GRAPHS) as far as the graph shows; where ONNX Runtime refuses it all the same, the start says why'
    : 'decode runs could be captured (MILLRACE_CUDA_GRAPHS), but attention is known to have CUDA kernels in half precision only; take an export in it';
}

function kept({ kvType, cacheType }: NonNullable<Inspection['decoder']>): string {
  return kvType === cacheType ? '' : ` on the CPU (MILLRACE_KV_TYPE), in the graph ${cacheType}`;
}

function window(tokens: number | null): string {
  return tokens === null ? '' : `; some layers see ${tokens} tokens back, their whole past is kept`;
}
