import { basename } from 'node:path';
import { ONNX_FLOAT16, ONNX_FLOAT32 } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { dimensions, elementTypeName, type Graph, type ValueInfo } from '../signature/value-info.ts';

/** What a decoder without tokens takes in their place: [batch, sequence, hidden]. */
export const EMBEDS = 'inputs_embeds';
const ONNX_BFLOAT16 = 16;

interface GraphFile {
  readonly file: string;
  readonly graph: Graph;
}

/** An output of the embedding, and the decoder's input that it becomes. */
export interface Connection {
  readonly output: ValueInfo;
  readonly input: ValueInfo;
}

/** @throws ModelLoadError where `inputs_embeds` is not given, or not as the decoder wants it */
export function connectionsOf(embedding: GraphFile, decoder: GraphFile): Connection[] {
  const inputs = new Map(inputsOf(decoder.graph).map((input) => [input.name ?? '', input]));
  const outputs = embedding.graph.output ?? [];
  const named = outputs.flatMap((output) => {
    const input = inputs.get(output.name ?? '');
    return input === undefined ? [] : [{ output, input }];
  });
  const embeds = inputs.get(EMBEDS);
  if (embeds === undefined)
    throw new ModelLoadError(decoder.file, `it has no input "${EMBEDS}" for what ${basename(embedding.file)} gives.`);
  const isNamed = named.some(({ input }) => input === embeds);
  const [only, ...others] = outputs;
  if (!isNamed && (only === undefined || others.length > 0))
    throw new ModelLoadError(
      embedding.file,
      `it has no output "${EMBEDS}" for ${basename(decoder.file)}, only ${outputs.map(({ name }) => name).join(', ')}; ` +
        'take the embed_tokens file of the same export.',
    );
  const connections = isNamed || only === undefined ? named : [...named, { output: only, input: embeds }];
  for (const connection of connections) assertAgrees(connection, embedding.file, decoder.file);
  return connections;
}

function assertAgrees({ output, input }: Connection, embeddingFile: string, decoderFile: string): void {
  const [given, taken] = [dimensions(output), dimensions(input)];
  const differ = (size: number | string, axis: number) =>
    typeof size === 'number' && typeof taken[axis] === 'number' && size !== taken[axis];
  const typesAgree = typeOf(output) === typeOf(input) || (isFloat(output) && isFloat(input));
  // A value without a shape has no dimensions here.
  const ranksAgree = given.length === taken.length || given.length === 0 || taken.length === 0;
  if (typesAgree && ranksAgree && !given.some(differ)) return;
  throw new ModelLoadError(
    embeddingFile,
    `output "${output.name}" is ${elementTypeName(output)} [${given.join(', ')}], but ${basename(decoderFile)} takes "${input.name}" as ` +
      `${elementTypeName(input)} [${taken.join(', ')}]; take both files of the same export.`,
  );
}

/** In old files initializers are inputs as well. */
export function inputsOf({ input, initializer }: Graph): ValueInfo[] {
  const initializers = new Set((initializer ?? []).map(({ name }) => name));
  return (input ?? []).filter(({ name }) => !initializers.has(name));
}

export function isFloat(value: ValueInfo): boolean {
  return [ONNX_FLOAT32, ONNX_FLOAT16, ONNX_BFLOAT16].includes(typeOf(value));
}

/** ONNX's TensorProto.DataType number. */
export function typeOf(value: ValueInfo): number {
  return value.type?.tensorType?.elemType ?? 0;
}
