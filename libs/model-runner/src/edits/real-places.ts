import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import onnxProto from 'onnx-proto';
import { encodedField, GRAPH, INITIALIZER, protoFields } from '#onnx-file';
import type { ChangedModel } from '../binding/session-binding.ts';
import { externalPlace } from '../signature/external-data.ts';

const { GraphProto, TensorProto } = onnxProto.onnx;
const LOCATION = 'location';

/**
 * A model whose external data is named where it really is. ONNX Runtime refuses data outside the model's folder, and so the links of which folders
 * consist that several versions share (Hugging Face's cache) or that are replaced whole (Kubernetes' volumes). Without links it stays as it is.
 */
export async function withRealPlaces(model: ChangedModel): Promise<ChangedModel> {
  const field = [...protoFields(model.bytes)].find(({ number }) => number === GRAPH);
  if (field === undefined) return model;
  const graph = model.bytes.subarray(field.valueStart, field.end);
  const locations = (GraphProto.decode(graph).initializer ?? []).flatMap((one) => externalPlace(one)?.location ?? []);
  const folder = dirname(model.file);
  const real = new Map<string, string>();
  for (const location of new Set(locations)) real.set(location, await realpath(join(folder, location)));
  const realFolder = await realpath(folder);
  if ([...real].every(([location, place]) => place === join(realFolder, location))) return model;
  const common = [...real.values()].map((place) => dirname(place)).reduce(commonFolder);
  const changed = [...protoFields(graph)].flatMap(({ number, start, valueStart, end }) => {
    const place = number === INITIALIZER ? TensorProto.decode(graph.subarray(valueStart, end)) : null;
    const entry = place?.externalData?.find(({ key }) => key === LOCATION);
    if (place === null || entry === undefined) return [graph.subarray(start, end)];
    entry.value = relative(common, real.get(entry.value ?? '') ?? '');
    return encodedField(INITIALIZER, TensorProto.encode(place).finish());
  });
  return {
    ...model,
    file: join(common, basename(model.file)),
    bytes: Buffer.concat([
      model.bytes.subarray(0, field.start),
      ...encodedField(GRAPH, Buffer.concat(changed)),
      model.bytes.subarray(field.end),
    ]),
  };
}

/** The nearest folder that has both. */
function commonFolder(one: string, other: string): string {
  let folder = one;
  while (relative(folder, other).startsWith('..') && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
