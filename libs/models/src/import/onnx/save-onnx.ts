import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import onnxProto from 'onnx-proto';
import {
  type Branch,
  CONTRIB,
  ELEMENT,
  ELEMENT_BYTES,
  FLOAT_ATTRIBUTES,
  type GraphNode,
  type GraphValue,
  type Initializer,
  type OnnxGraph,
} from './onnx-graph.ts';

const { onnx } = onnxProto;
const OPSET = 21;
const IR_VERSION = 8;
/** Initializers from this size on go to the files of external data. */
const EXTERNAL_FROM_BYTES = 1024;
/** Initializers begin at multiples of a page, so that ONNX Runtime can map them into memory. */
const ALIGNMENT_BYTES = 4096;

export interface SaveOptions {
  /** Files of external data become no larger, unless one initializer alone is. */
  readonly pieceBytes: number;
  readonly onBytes?: (bytes: number) => void;
}

/** Writes `<file>` and its weights as `<file>.data.0`, `.1`, …; holds one chunk of weights at a time in memory. */
export async function saveOnnx(graph: OnnxGraph, file: string, options: SaveOptions): Promise<void> {
  const tensors: InstanceType<typeof onnx.TensorProto>[] = [];
  const pieces = new Pieces(file, options.pieceBytes);
  try {
    for (const { initializers, chunks } of graph.groups) {
      const writers: InitializerWriter[] = [];
      for (const initializer of initializers) writers.push(await writerFor(initializer, pieces));
      for await (const parts of chunks()) {
        for (const [index, bytes] of parts.entries()) {
          await writers[index]?.write(bytes);
          options.onBytes?.(bytes.length);
        }
      }
      tensors.push(...writers.map((writer) => writer.finish()));
    }
  } finally {
    await pieces.close();
  }
  const model = onnx.ModelProto.create({
    irVersion: IR_VERSION,
    producerName: 'millrace',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: CONTRIB, version: 1 },
    ],
    graph: {
      name: graph.name,
      node: graph.nodes.map(nodeProto),
      input: graph.inputs.map(valueProto),
      output: graph.outputs.map(valueProto),
      initializer: tensors,
    },
  });
  await writeFile(file, onnx.ModelProto.encode(model).finish());
}

interface InitializerWriter {
  write(bytes: Uint8Array): Promise<void>;
  finish(): InstanceType<typeof onnx.TensorProto>;
}

async function writerFor(initializer: Initializer, pieces: Pieces): Promise<InitializerWriter> {
  const { name, type, dimensions } = initializer;
  const length = dimensions.reduce((product, size) => product * size, ELEMENT_BYTES[type]);
  const tensor = { name, dataType: ELEMENT[type], dims: [...dimensions] };
  let written = 0;
  const whole = () => {
    if (written !== length) throw new RangeError(`initializer ${name} has ${written} bytes of ${length}`);
  };
  if (length < EXTERNAL_FROM_BYTES) {
    const rawData = new Uint8Array(length);
    return {
      write: async (bytes) => {
        rawData.set(bytes, written);
        written += bytes.length;
      },
      finish: () => {
        whole();
        return onnx.TensorProto.create({ ...tensor, rawData });
      },
    };
  }
  const { file, location, offset } = await pieces.reserve(length);
  return {
    write: async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + written + done);
        done += bytesWritten; // a disk that fills up takes a part first
      }
      written += bytes.length;
    },
    finish: () => {
      whole();
      const externalData = Object.entries({ location, offset, length }).map(([key, value]) => ({
        key,
        value: String(value),
      }));
      return onnx.TensorProto.create({ ...tensor, dataLocation: 1, externalData });
    },
  };
}

/** The files of external data, filled one after another. */
class Pieces {
  readonly #modelFile: string;
  readonly #pieceBytes: number;
  readonly #files: FileHandle[] = [];
  #usedBytes = 0;

  constructor(modelFile: string, pieceBytes: number) {
    this.#modelFile = modelFile;
    this.#pieceBytes = pieceBytes;
  }

  async reserve(bytes: number): Promise<{ file: FileHandle; location: string; offset: number }> {
    let offset = Math.ceil(this.#usedBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    let index = this.#files.length - 1;
    const isNew = index < 0 || (offset > 0 && offset + bytes > this.#pieceBytes);
    if (isNew) {
      index += 1;
      offset = 0;
    }
    this.#usedBytes = offset + bytes;
    const location = `${basename(this.#modelFile)}.data.${index}`;
    if (isNew) this.#files.push(await open(join(dirname(this.#modelFile), location), 'w'));
    const file = this.#files[index];
    if (file === undefined) throw new RangeError(`no piece ${index}`);
    return { file, location, offset };
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }
}

function nodeProto({ operator, domain, inputs, outputs, attributes }: GraphNode): InstanceType<typeof onnx.NodeProto> {
  return onnx.NodeProto.create({
    name: `${operator}/${outputs[0]}`,
    opType: operator,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, value]) => {
      if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
      if (typeof value === 'object') return { name, type: 5, g: branchProto(name, value) };
      return FLOAT_ATTRIBUTES.has(name) ? { name, type: 1, f: value } : { name, type: 2, i: value };
    }),
  });
}

function branchProto(name: string, { nodes, output }: Branch) {
  return onnx.GraphProto.create({
    name: `${name}/${output}`,
    node: nodes.map(nodeProto),
    output: [{ name: output, type: { tensorType: { elemType: ELEMENT.float32 } } }],
  });
}

function valueProto({ name, type, dimensions }: GraphValue) {
  const dim = dimensions.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return onnx.ValueInfoProto.create({ name, type: { tensorType: { elemType: ELEMENT[type], shape: { dim } } } });
}
