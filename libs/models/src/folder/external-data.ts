import { open } from 'node:fs/promises';
import { ProtoFileReader } from './proto-file-reader.ts';

/** A file of weights beside the model file, and the bytes that the model reads of it: the largest offset + length. */
export interface ExternalData {
  readonly location: string;
  readonly bytes: number;
}

// Field numbers of onnx.proto3: which fields of a message hold messages that can lead to a tensor.
const MODEL = { 7: 'graph', 25: 'function' } as const;
const GRAPH = { 1: 'node', 5: 'tensor', 15: 'sparseTensor' } as const;
const FUNCTION = { 7: 'node' } as const;
const NODE = { 5: 'attribute' } as const;
const ATTRIBUTE = {
  5: 'tensor',
  6: 'graph',
  10: 'tensor',
  11: 'graph',
  22: 'sparseTensor',
  23: 'sparseTensor',
} as const;
const SPARSE_TENSOR = { 1: 'tensor', 2: 'tensor' } as const;
const CHILDREN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: MODEL,
  graph: GRAPH,
  function: FUNCTION,
  node: NODE,
  attribute: ATTRIBUTE,
  sparseTensor: SPARSE_TENSOR,
};
const TENSOR_EXTERNAL_DATA = 13;
const MAX_DEPTH = 32;

/**
 * The external-data files that an ONNX model names, each once, sorted by name.
 * @throws RangeError when the file is no ONNX model or ends too early
 */
export async function externalDataOf(modelFile: string): Promise<ExternalData[]> {
  await using file = await open(modelFile);
  const { size } = await file.stat();
  if (size === 0) {
    throw new RangeError('the file is empty');
  }
  const bytesOf = new Map<string, number>();
  await collect(new ProtoFileReader(file, size), 'model', 0, size, bytesOf, 0);
  return [...bytesOf.keys()].sort().map((location) => ({ location, bytes: bytesOf.get(location) ?? 0 }));
}

async function collect(
  reader: ProtoFileReader,
  message: string,
  start: number,
  end: number,
  bytesOf: Map<string, number>,
  depth: number,
): Promise<void> {
  if (depth > MAX_DEPTH) {
    throw new RangeError(`graphs are nested deeper than ${MAX_DEPTH} messages`);
  }
  const entries: Record<string, string> = {};
  for await (const field of reader.fields(start, end)) {
    if (!('start' in field)) {
      continue;
    }
    const child = CHILDREN[message]?.[field.number];
    if (child !== undefined) {
      await collect(reader, child, field.start, field.end, bytesOf, depth + 1);
    } else if (message === 'tensor' && field.number === TENSOR_EXTERNAL_DATA) {
      const [key, value] = await keyAndValue(reader, field.start, field.end);
      entries[key] = value;
    }
  }
  if (entries.location !== undefined) {
    const needed = Number(entries.offset ?? 0) + Number(entries.length ?? 0);
    bytesOf.set(entries.location, Math.max(bytesOf.get(entries.location) ?? 0, needed));
  }
}

async function keyAndValue(reader: ProtoFileReader, start: number, end: number): Promise<[string, string]> {
  const texts: [string, string] = ['', ''];
  for await (const field of reader.fields(start, end)) {
    if ('start' in field && (field.number === 1 || field.number === 2)) {
      texts[field.number - 1] = await reader.text(field.start, field.end);
    }
  }
  return texts;
}
