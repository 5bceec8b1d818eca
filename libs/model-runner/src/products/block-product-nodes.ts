import type { onnx } from 'onnx-proto';
import { type Graph, integerAttribute, type Node } from '../signature/value-info.ts';
import { Constants, FLOAT16, type Initializer, type QuantaSource, type ScaleSource, UINT8 } from './constant-source.ts';
import type { OwnNode } from './own-node.ts';
import type { MatrixForm } from './product-library.ts';

/** Weights that share a scale in the library. */
export const BLOCK = 32;
/** MatMulNBits' accuracy level that lets activations be rounded to 8 bits in blocks. */
const EIGHT_BIT_ACTIVATIONS = 4;

/** A MatMulNBits node whose product the library can compute, and where its weights are. */
export interface BlockProductNode {
  readonly node: Node;
  readonly form: MatrixForm;
  readonly quanta: QuantaSource;
  readonly scales: ScaleSource;
  readonly zeros: Initializer | null;
  /** Blocks of 32 that have a scale together. */
  readonly scaleEvery: number;
}

/** The products of a graph's main nodes that the library computes; those in branches stay ONNX Runtime's. */
export function blockProductNodes(graph: Graph): BlockProductNode[] {
  const constants = new Constants(graph);
  return (graph.node ?? []).flatMap((node) => blockProduct(node, constants) ?? []);
}

function blockProduct(node: Node, constants: Constants): BlockProductNode | null {
  if (node.opType !== 'MatMulNBits' || integerAttribute(node, 'accuracy_level') !== EIGHT_BIT_ACTIVATIONS) return null;
  const [inputs, outputs, block] = ['K', 'N', 'block_size'].map((name) => integerAttribute(node, name) ?? 0);
  const bits = integerAttribute(node, 'bits') ?? 4;
  if ((bits !== 4 && bits !== 8) || block % BLOCK !== 0 || inputs % block !== 0) return null;
  // Groups in another order, and a bias, are ONNX Runtime's.
  const [, quantaName, scalesName, zerosName, ...others] = node.input ?? [];
  if (others.some((name) => name !== '')) return null;
  const quanta = constants.quanta(quantaName);
  const scales = constants.scales(scalesName);
  const zeros = zerosName ? constants.initializer(zerosName) : null;
  if (quanta === null || scales === null || (zerosName && zeros === null)) return null;
  const groups = (outputs * inputs) / block;
  const storedBits = quanta.spreadHalves ? 4 : bits;
  if (quanta.spreadHalves && (bits !== 8 || block !== BLOCK)) return null;
  if (!holds(quanta.tensor, (outputs * inputs * storedBits) / 8) || elements(scales.tensor) !== groups) return null;
  // Two zero points of 4 bits share a byte, and a row of them begins with a byte.
  const zerosHeld = bits === 8 ? groups : outputs * Math.ceil(inputs / block / 2);
  if (zeros !== null && !holds(zeros, zerosHeld)) return null;
  const halfScales = scales.factor === null && scales.tensor.dataType === FLOAT16;
  return {
    node,
    form: { inputs, outputs, bits: storedBits, spread: quanta.spreadHalves, halfScales, zeroPoints: zeros !== null },
    quanta,
    scales,
    zeros,
    scaleEvery: block / BLOCK,
  };
}

function holds(tensor: Initializer, bytes: number): boolean {
  return tensor.dataType === UINT8 && elements(tensor) === bytes;
}

function elements({ dims }: onnx.ITensorProto): number {
  return (dims ?? []).reduce<number>((product, size) => product * Number(size), 1);
}

/** The library's operator in its place, with the weights packed at `address`. */
export function ownProduct({ node, form }: BlockProductNode, address: bigint): OwnNode {
  return {
    node,
    opType: 'BlockProduct',
    input: (node.input ?? []).slice(0, 1),
    integers: {
      // Addresses of processes are below 2^53.
      address: Number(address),
      K: form.inputs,
      N: form.outputs,
      bits: form.bits,
      spread: Number(form.spread),
      half_scales: Number(form.halfScales),
      zero_points: Number(form.zeroPoints),
    },
  };
}
