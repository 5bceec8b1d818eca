import { EXTERNAL_DATA, FileFields, FUNCTION, GRAPH, INITIALIZER, NODE, type ProtoField } from '#onnx-file';

/** A file of weights beside the model file, and the bytes that the model reads of it: the largest offset + length. */
export interface ExternalData {
  readonly location: string;
  readonly bytes: number;
}

/** Of the fields of a message those that hold messages which can lead to a tensor. */
const CHILDREN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { [GRAPH]: 'graph', [FUNCTION]: 'function' },
  graph: { [NODE]: 'node', [INITIALIZER]: 'tensor', 15: 'sparseTensor' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparseTensor', 23: 'sparseTensor' },
  sparseTensor: { 1: 'tensor', 2: 'tensor' },
};
const MAX_DEPTH = 32;
/** Of StringStringEntryProto. */
const KEY = 1;
const VALUE = 2;

/**
 * The external-data files that an ONNX model names, each once, sorted by name.
 * @throws RangeError when the file is no ONNX model or ends too early
 */
export async function externalDataOf(modelFile: string): Promise<ExternalData[]> {
  await using fields = await FileFields.open(modelFile);
  if (fields.whole.end === 0) {
    throw new RangeError('the file is empty');
  }
  const bytesOf = new Map<string, number>();
  await collect(fields, 'model', fields.whole, bytesOf, 0);
  return [...bytesOf.keys()].sort().map((location) => ({ location, bytes: bytesOf.get(location) ?? 0 }));
}

/** Notes what the tensors in a message read of files of weights. */
async function collect(
  fields: FileFields,
  kind: string,
  message: Pick<ProtoField, 'valueStart' | 'end'>,
  bytesOf: Map<string, number>,
  depth: number,
): Promise<void> {
  if (depth > MAX_DEPTH) {
    throw new RangeError(`graphs are nested deeper than ${MAX_DEPTH} messages`);
  }
  const entries: Record<string, string> = {};
  for await (const field of fields.fields(message)) {
    if (!field.hasLength) {
      continue;
    }
    const child = CHILDREN[kind]?.[field.number];
    if (child !== undefined) {
      await collect(fields, child, field, bytesOf, depth + 1);
    } else if (kind === 'tensor' && field.number === EXTERNAL_DATA) {
      const [key, value] = await keyAndValue(fields, field);
      entries[key] = value;
    }
  }
  if (entries.location !== undefined) {
    const needed = Number(entries.offset ?? 0) + Number(entries.length ?? 0);
    bytesOf.set(entries.location, Math.max(bytesOf.get(entries.location) ?? 0, needed));
  }
}

async function keyAndValue(fields: FileFields, entry: ProtoField): Promise<[string, string]> {
  const texts: [string, string] = ['', ''];
  for await (const field of fields.fields(entry)) {
    if (field.hasLength && field.number === KEY) texts[0] = await fields.text(field);
    if (field.hasLength && field.number === VALUE) texts[1] = await fields.text(field);
  }
  return texts;
}
