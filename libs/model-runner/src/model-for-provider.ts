import type { ExecutionProvider } from '#contracts';
import type { SessionOptions } from './binding/session-binding.ts';
import { withPlainAttention } from './edits/with-plain-attention.ts';
import type { ModelForm } from './open-session.ts';
import type { ModelSignature } from './signature/model-signature.ts';

/**
 * CUDA's GroupQueryAttention is for half precision. ONNX Runtime would compute it in float32 on the CPU and carry all keys and values there and back in every
 * step, so there it is made of operators that CUDA has.
 */
export function modelForProvider(
  model: SessionOptions['model'],
  signature: Pick<ModelSignature, 'layers' | 'headSize' | 'cacheType' | 'sharesCache'>,
  provider: ExecutionProvider,
): ModelForm {
  const isChanged = typeof model === 'object' && 'bytes' in model;
  if (provider !== 'cuda' || signature.cacheType !== 'float32' || !signature.sharesCache || !isChanged)
    return { model, problem: null };
  const plain = withPlainAttention(model, signature);
  if (typeof plain !== 'string') return { model: plain, problem: null };
  return {
    model,
    problem: `attention is computed on the CPU, and all keys and values cross in every step: CUDA has no kernel for float32, and ${plain}; take an export in float16`,
  };
}
