/**
 * The part of `#contracts` that an engine's thread needs: ports and errors, without the schemas of what travels, which
 * take more memory than the rest of the thread's code.
 *
 * @module
 * @example
 * import { KV_BLOCK_TOKENS, MillraceError } from '#contracts/ports';
 * throw new MillraceError('engine_failed', `The cache holds ${KV_BLOCK_TOKENS} tokens a block.`);
 */
export { attemptKey } from '../attempt-key.ts';
export {
  type DeviceLogits,
  MASS_TOLERANCE,
  NEAR_NATS,
  type RowCandidates,
  type RowWish,
} from '../device-logits.ts';
export { ERROR_CODES, type ErrorCode, isErrorCode } from '../error-codes.ts';
export { BUCKETS_PER_NAT, type LogitsKernels, type Nearness, type NearTokens } from '../logits-kernels.ts';
export { MillraceError, type MillraceErrorOptions } from '../millrace-error.ts';
export {
  blocksHaveStates,
  CPU_PRODUCTS,
  type CpuChoices,
  type CpuProducts,
  type DecoderShape,
  EXECUTION_PROVIDERS,
  type ExecutionProvider,
  KV_BLOCK_TOKENS,
  KV_TYPES,
  KV_VALUE_BYTES,
  type KvType,
  kvBytesOfHead,
  kvBytesOfToken,
  type ModelRunner,
  type PrefillParts,
  type RunnerDescription,
  slotsOfStates,
  type Verification,
  wholeBlocks,
} from '../model-runner.ts';
export { type TextConfigName, textConfig } from '../text-config.ts';
export type { TokenTable } from '../token-table.ts';
