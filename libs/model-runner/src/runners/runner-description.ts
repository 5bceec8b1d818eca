import type { RunnerDescription } from '#contracts';
import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** What a runner says of itself. */
export function runnerDescription(
  binding: SessionBinding,
  { layers }: ModelSignature,
  cache: {
    readonly kvType: RunnerDescription['kvType'];
    readonly kvCache: RunnerDescription['kvCache'];
    readonly memory: RunnerDescription['kvMemory'];
    readonly kvBytes: number;
    readonly parkingBytes: number;
    readonly blocks: { readonly bytes: number } | null;
    readonly states: { readonly bytes: number; readonly blockBytes: number };
  },
  { capturedRows, runInvariant, fallbacks }: Pick<RunnerDescription, 'capturedRows' | 'runInvariant' | 'fallbacks'>,
): RunnerDescription {
  return {
    provider: binding.provider,
    binding: binding.kind,
    kvCache: cache.kvCache,
    runtimeVersion: binding.runtimeVersion,
    kvType: cache.kvType,
    kvMemory: cache.memory,
    kvBytes: cache.kvBytes,
    parkingBytes: cache.parkingBytes,
    blockBytes: (cache.blocks?.bytes ?? 0) + cache.states.blockBytes,
    stateBytes: cache.states.bytes,
    capturedRows,
    ownProducts: binding.ownProducts,
    ownAttention: binding.ownCache === null ? 0 : layers,
    runInvariant,
    fallbacks,
  };
}
