import { basename } from 'node:path';
import onnxProto, { type onnx } from 'onnx-proto';
import {
  DATA_LOCATION,
  EXTERNAL_DATA,
  encodedField,
  encodedNumber,
  FileFields,
  GRAPH,
  INITIALIZER,
  type ProtoField,
  RAW_DATA,
} from '#onnx-file';
import { ModelLoadError } from '../model-load-error.ts';
import type { Graph } from '../signature/value-info.ts';

const { ModelProto, StringStringEntryProto, TensorProto } = onnxProto.onnx;
/** Shapes and scalars stay in the graph, where they are looked at. */
const LEAST_BYTES_LEFT = 1024;
const NOT_WHOLE = 'it is not a whole ONNX file; copy or download it again.';

export interface DecodedModel {
  readonly model: onnx.IModelProto;
  readonly graph: Graph;
}

/**
 * What an ONNX file holds, but for the graph's weights: those of 1 KiB or more stay there, as external data at their place in that very file. So a
 * graph is read, changed and loaded without its weights, wherever they are.
 * @throws ModelLoadError
 */
export async function readModel(file: string): Promise<Uint8Array> {
  try {
    await using fields = await FileFields.open(file);
    const parts: Uint8Array[] = [];
    for await (const field of fields.fields())
      if (field.number === GRAPH)
        parts.push(...encodedField(GRAPH, await withoutWeights(fields, field, basename(file))));
      else parts.push(await fields.read(field.start, field.end));
    return Buffer.concat(parts);
  } catch (cause) {
    if (cause instanceof RangeError) throw new ModelLoadError(file, NOT_WHOLE, { cause });
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = missing ? 'the file does not exist; check the model folder.' : (cause as Error).message;
    throw new ModelLoadError(file, problem, { cause });
  }
}

/** @param file as errors name it. @throws ModelLoadError where there is no whole model with a graph */
export function decodedModel(file: string, bytes: Uint8Array): DecodedModel {
  let model: onnx.IModelProto;
  try {
    model = ModelProto.decode(bytes);
  } catch (cause) {
    throw new ModelLoadError(file, NOT_WHOLE, { cause });
  }
  if (model.graph?.node?.length) return { model, graph: model.graph };
  throw new ModelLoadError(file, 'it holds no graph, so it is no ONNX model; copy or download it again.');
}

async function withoutWeights(fields: FileFields, graph: ProtoField, location: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const field of fields.fields(graph))
    if (field.number === INITIALIZER && field.end - field.valueStart >= LEAST_BYTES_LEFT)
      parts.push(...encodedField(INITIALIZER, await tensorLeft(fields, field, location)));
    else parts.push(await fields.read(field.start, field.end));
  return Buffer.concat(parts);
}

/** A tensor that says where its bytes are in the file; as it is where they are few, elsewhere, or in another form. */
async function tensorLeft(fields: FileFields, tensor: ProtoField, location: string): Promise<Uint8Array> {
  const parts: { readonly number: number; readonly bytes: Uint8Array }[] = [];
  let place: { readonly offset: number; readonly length: number } | null = null;
  for await (const { number, start, valueStart, end } of fields.fields(tensor))
    if (number === RAW_DATA && end - valueStart >= LEAST_BYTES_LEFT)
      place = { offset: valueStart, length: end - valueStart };
    else parts.push({ number, bytes: await fields.read(start, end) });
  if (place === null) return Buffer.concat(parts.map(({ bytes }) => bytes));
  return Buffer.concat([
    // Some exporters say that the bytes are inside, and the last word counts.
    ...parts.flatMap(({ number, bytes }) => (number === DATA_LOCATION || number === EXTERNAL_DATA ? [] : [bytes])),
    ...Object.entries({ location, ...place }).flatMap(([key, value]) =>
      encodedField(EXTERNAL_DATA, StringStringEntryProto.encode({ key, value: `${value}` }).finish()),
    ),
    encodedNumber(DATA_LOCATION, TensorProto.DataLocation.EXTERNAL),
  ]);
}
