import onnxProto from 'onnx-proto';
import { encodedField, GRAPH, NODE, protoFields } from '#onnx-file';
import type { ChangedModel } from '../binding/session-binding.ts';
import { type AttentionNode, attentionNodes } from '../products/attention-nodes.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { PlainAttention } from './plain-attention.ts';

const { ModelProto, NodeProto } = onnxProto.onnx;
/** Operators take their axes and bounds as they do here from this version on. */
const LEAST_OPSET = 13;
const HEAD_SINK_INPUT = 11;

/**
 * The model with all attention in float32 made of plain operators (`PlainAttention`).
 * @returns why it can not be
 */
export function withPlainAttention(
  { file, bytes }: ChangedModel,
  { layers, headSize }: Pick<ModelSignature, 'layers' | 'headSize'>,
): ChangedModel | string {
  const { graph, opsetImport } = ModelProto.decode(bytes);
  const opset = Number(opsetImport?.find(({ domain }) => !domain || domain === 'ai.onnx')?.version ?? 0);
  if (opset < LEAST_OPSET) return `its operators are of version ${opset}; it must be ${LEAST_OPSET} or newer`;
  const nodes = attentionNodes(graph ?? {}, headSize).filter(isPlain);
  if (nodes.length < layers)
    return 'its attention has sinks, biases or another feature that is not made of plain operators';
  const attention = new PlainAttention();
  const byOutput = new Map(nodes.map((each) => [each.node.output?.[0], each]));
  const changed = (value: Uint8Array): Uint8Array =>
    Buffer.concat(
      [...protoFields(value)].flatMap(({ number, start, valueStart, end }) => {
        const output = number === NODE ? NodeProto.decode(value.subarray(valueStart, end)).output?.[0] : undefined;
        const node = output === undefined ? undefined : byOutput.get(output);
        return node === undefined ? [value.subarray(start, end)] : attention.replace(node);
      }),
    );
  const parts = [...protoFields(bytes)].flatMap(({ number, start, valueStart, end }) =>
    number === GRAPH ? encodedField(GRAPH, changed(bytes.subarray(valueStart, end))) : [bytes.subarray(start, end)],
  );
  return { file, bytes: Buffer.concat(parts), attention: 'plain' };
}

function isPlain({ node, form }: AttentionNode): boolean {
  return !node.input?.[HEAD_SINK_INPUT] && form.heads % form.kvHeads === 0;
}
