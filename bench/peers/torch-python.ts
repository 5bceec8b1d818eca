import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionProvider } from '#contracts';

/** A Python that can measure, or why there is none. */
export type TorchPython = { readonly python: string } | { readonly missing: string };

const OWN = fileURLToPath(new URL('.venv/bin/python', import.meta.url));

/**
 * The first Python that imports torch and transformers and reaches the provider's device: `MILLRACE_BENCH_PYTHON`, bench/peers/.venv,
 * python3. PyTorch has no device for WebGPU.
 */
export function torchPython(provider: ExecutionProvider): TorchPython {
  if (provider === 'webgpu') return { missing: 'PyTorch has no WebGPU device' };
  const named = process.env.MILLRACE_BENCH_PYTHON;
  const candidates = named !== undefined ? [named] : [...(existsSync(OWN) ? [OWN] : []), 'python3'];
  const check = `import torch, transformers${provider === 'cuda' ? '; assert torch.cuda.is_available(), "torch finds no CUDA device"' : ''}`;
  const reasons: string[] = [];
  for (const python of candidates) {
    try {
      execFileSync(python, ['-c', check], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: 120_000 });
      return { python };
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      reasons.push(`${python}: ${stderr?.trim().split('\n').at(-1) || message}`);
    }
  }
  return { missing: reasons.join('; ') };
}
