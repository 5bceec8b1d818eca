import onnxProto from 'onnx-proto';
import { encodedField, OPSET_IMPORT } from '#onnx-file';
import { ModelLoadError } from '../model-load-error.ts';
import type { Node } from '../signature/value-info.ts';
import type { DecodedModel } from './read-model.ts';

const { OperatorSetIdProto } = onnxProto.onnx;

/** Since this version of ONNX's own operators those below mean the same. https://github.com/onnx/onnx/blob/main/docs/Changelog.md */
const STEADY_SINCE = 13;
const STEADY = new Set(
  (
    'Add And Cast Clip Concat Constant ConstantOfShape DequantizeLinear Div Equal Expand Gather GatherND Greater GreaterOrEqual Identity Less ' +
    'LessOrEqual MatMul Mul Neg NonZero Not Or Range Reshape ScatterND Shape Slice Split Squeeze Sub Transpose Unsqueeze Where'
  ).split(' '),
);
const OWN_DOMAIN = '';

/**
 * What an embedding's operators need beside those of the decoder's operator sets: the sets that only it has. A graph has one version of each,
 * the decoder's, which its nodes have to mean the same in.
 * @throws ModelLoadError naming the operator set and what in it may differ
 */
export function embeddingOpsets(embedding: DecodedModel, decoder: DecodedModel, embeddingFile: string): Uint8Array[] {
  const decoders = versions(decoder);
  return [...versions(embedding)].flatMap(([domain, version]) => {
    const other = decoders.get(domain);
    if (other === undefined) return encodedField(OPSET_IMPORT, OperatorSetIdProto.encode({ domain, version }).finish());
    const isSteady = domain === OWN_DOMAIN && Math.min(version, other) >= STEADY_SINCE;
    const changing =
      version === other
        ? []
        : allNodes(embedding.graph.node ?? []).filter(
            (node) => domainOf(node.domain) === domain && !(isSteady && STEADY.has(node.opType ?? '')),
          );
    if (changing.length === 0) return [];
    const operators = [...new Set(changing.map(({ opType }) => opType))].join(', ');
    throw new ModelLoadError(
      embeddingFile,
      `it has version ${version} of the operator set ${domain || 'ai.onnx'}, its decoder ${other}, and ${operators} may differ ` +
        'between them; export both with the same version.',
    );
  });
}

function versions({ model }: DecodedModel): Map<string, number> {
  return new Map((model.opsetImport ?? []).map(({ domain, version }) => [domainOf(domain), Number(version)]));
}

function domainOf(domain: string | null | undefined): string {
  return domain === 'ai.onnx' || domain == null ? OWN_DOMAIN : domain;
}

function allNodes(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...(node.attribute ?? []).flatMap(({ g }) => allNodes(g?.node ?? []))]);
}
