import { readFile } from 'node:fs/promises';
import onnxProto, { type onnx } from 'onnx-proto';
import { ModelLoadError } from '../model-load-error.ts';
import type { Graph } from '../signature/value-info.ts';

export interface DecodedModel {
  readonly model: onnx.IModelProto;
  readonly graph: Graph;
}

/** The bytes of an ONNX file. @throws ModelLoadError */
export async function readModel(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = missing ? 'the file does not exist; check the model folder.' : (cause as Error).message;
    throw new ModelLoadError(file, problem, { cause });
  }
}

/** @param file as errors name it. @throws ModelLoadError where there is no whole model with a graph */
export function decodedModel(file: string, bytes: Uint8Array): DecodedModel {
  let model: onnx.IModelProto;
  try {
    model = onnxProto.onnx.ModelProto.decode(bytes);
  } catch (cause) {
    throw new ModelLoadError(file, 'it is not a whole ONNX file; copy or download it again.', { cause });
  }
  if (model.graph?.node?.length) return { model, graph: model.graph };
  throw new ModelLoadError(file, 'it holds no graph, so it is no ONNX model; copy or download it again.');
}
