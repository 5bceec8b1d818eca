import onnxProto from 'onnx-proto';

const OPSET = 17;
const IR_VERSION = 8;

/** A small graph with the names of its inputs and outputs, in the order in which they are set. */
export interface SmallGraph {
  readonly model: Uint8Array;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** An input or output: ONNX's number of its type, and its dimensions, named where they are free. */
export interface GraphValue {
  readonly name: string;
  readonly elemType: number;
  readonly dims: readonly (number | string)[];
}

export interface GraphConstant {
  readonly name: string;
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly values: ArrayBufferView;
}

export interface GraphNode {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  /** Integers, or lists of them. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface GraphParts {
  readonly name: string;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly nodes: readonly GraphNode[];
  readonly constants?: readonly GraphConstant[];
}

export function smallGraph({ name, inputs, outputs, nodes, constants = [] }: GraphParts): SmallGraph {
  const { INT, INTS } = onnxProto.onnx.AttributeProto.AttributeType;
  const model = onnxProto.onnx.ModelProto.fromObject({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name,
      node: nodes.map(({ opType, input, output, attributes = {} }) => ({
        opType,
        input,
        output,
        attribute: Object.entries(attributes).map(([key, value]) =>
          typeof value === 'number' ? { name: key, i: value, type: INT } : { name: key, ints: value, type: INTS },
        ),
      })),
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
      initializer: constants.map(({ values, elemType, ...constant }) => ({
        ...constant,
        dataType: elemType,
        rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      })),
    },
  });
  return {
    model: onnxProto.onnx.ModelProto.encode(model).finish(),
    inputNames: inputs.map((value) => value.name),
    outputNames: outputs.map((value) => value.name),
  };
}

function valueInfo({ name, elemType, dims }: GraphValue) {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}
