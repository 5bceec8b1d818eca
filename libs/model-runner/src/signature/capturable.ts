import type { ModelSignature } from './model-signature.ts';

/**
 * The same model in a form whose decode runs can be captured as CUDA graphs as far as we know; or why there is none, and what to do. ONNX Runtime
 * itself refuses more: control flow, and nodes that the device has no kernel for.
 *
 * Where folders that we make take a row's last position by its length, the step's sequence length, which ONNX Runtime computes on the host, meets
 * lengths on the device, and a copy between them can not be captured. No run of a runner has padded rows, so the last position of all is the same.
 */
export function capturable(signature: ModelSignature, slotTokens: number): ModelSignature | string {
  const { sharesCache, rowsRunAlone, sideInputs, states, lastGathers, edits } = signature;
  if (!sharesCache)
    return 'its cache grows with every step, so that no two steps have the same shapes; export it with GroupQueryAttention';
  if (states.length > 0) return 'layers that keep a state of a fixed size are computed on the CPU only';
  if (rowsRunAlone) return 'its experts, or scales of activations for a whole run, need a run for each row';
  if (sideInputs.some(({ kind }) => kind === 'attention_mask'))
    return (
      'its attention mask is an input that changes its width, because the graph reads more of it than lengths; ' +
      'export it by onnxruntime-genai'
    );
  if (slotTokens < 2) return 'a slot has no room for a second token';
  if (lastGathers === null) return signature;
  return { ...signature, edits: [...edits, { kind: 'sliced-positions', ...lastGathers }] };
}
