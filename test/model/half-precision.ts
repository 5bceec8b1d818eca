import { readFileSync, writeFileSync } from 'node:fs';
import onnxProto from 'onnx-proto';

const FLOAT32 = 1;
const FLOAT16 = 10;

type Graph = onnxProto.onnx.IGraphProto;
type Tensor = onnxProto.onnx.ITensorProto;

/** Writes a float32 model anew with all weights, inputs and outputs in float16, as half-precision exports have them. */
export function writeHalfPrecision(modelFile: string, halfFile: string): void {
  const model = onnxProto.onnx.ModelProto.decode(readFileSync(modelFile));
  const graph: Graph = model.graph ?? {};
  for (const tensor of graph.initializer ?? []) halve(tensor);
  for (const value of [...(graph.input ?? []), ...(graph.output ?? []), ...(graph.valueInfo ?? [])]) {
    const type = value.type?.tensorType;
    if (type?.elemType === FLOAT32) type.elemType = FLOAT16;
  }
  for (const attribute of (graph.node ?? []).flatMap((node) => node.attribute ?? [])) {
    if (attribute.t) halve(attribute.t);
    if (attribute.name === 'to' && Number(attribute.i) === FLOAT32) attribute.i = FLOAT16;
  }
  writeFileSync(halfFile, onnxProto.onnx.ModelProto.encode(model).finish());
}

function halve(tensor: Tensor): void {
  if (tensor.dataType !== FLOAT32) return;
  const floats = tensor.rawData?.length
    ? new Float32Array(Uint8Array.from(tensor.rawData).buffer)
    : Float32Array.from(tensor.floatData ?? []);
  tensor.rawData = new Uint8Array(Float16Array.from(floats).buffer);
  tensor.floatData = [];
  tensor.dataType = FLOAT16;
}
