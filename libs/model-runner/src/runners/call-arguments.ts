import { KV_BLOCK_TOKENS } from '#contracts/ports';
import { RunnerArgumentError } from '../runner-argument-error.ts';

export interface RunnerLimits {
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly blocks: number;
  readonly vocabularySize: number;
}

/** @throws RunnerArgumentError when a prefill call names a slot, a token or a position that is not there */
export function assertPrefill(limits: RunnerLimits, slot: number, tokenIds: Int32Array, pastTokens: number): void {
  assertSlot(limits, 'slot', slot);
  if (tokenIds.length === 0) throw new RunnerArgumentError('tokenIds is empty; a chunk has at least one token.');
  assertRoom(limits, slot, pastTokens, tokenIds.length);
  for (const tokenId of tokenIds) assertToken(limits, tokenId);
}

/** @throws RunnerArgumentError when a verification names a slot, a token or a position that is not there, or too many tokens */
export function assertVerification(
  limits: RunnerLimits,
  maxTokens: number,
  slot: number,
  tokenIds: Int32Array,
  pastTokens: number,
): void {
  assertPrefill(limits, slot, tokenIds, pastTokens);
  if (tokenIds.length > maxTokens)
    throw new RunnerArgumentError(
      `${tokenIds.length} tokenIds are to be verified at a time; it must be 1 to ${maxTokens}.`,
    );
}

/** @throws RunnerArgumentError when a decode call names a row, a token or a position that is not there */
export function assertDecode(limits: RunnerLimits, rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void {
  if (!Number.isInteger(rows) || rows < 1 || rows > limits.slots)
    throw new RunnerArgumentError(`rows is ${rows}; it must be 1 to ${limits.slots}, the number of slots.`);
  if (tokenIds.length < rows || pastTokens.length < rows)
    throw new RunnerArgumentError(
      `rows is ${rows}, but there are ${tokenIds.length} tokenIds and ${pastTokens.length} pastTokens.`,
    );
  for (let row = 0; row < rows; row++) {
    assertToken(limits, tokenIds[row] ?? -1);
    assertRoom(limits, row, pastTokens[row] ?? -1, 1);
  }
}

/** @throws RunnerArgumentError when a copy names a slot or more tokens than there are */
export function assertCopy(limits: RunnerLimits, from: number, to: number, tokens: number): void {
  assertCopySlot(limits, 'from', from);
  assertCopySlot(limits, 'to', to);
  if (!Number.isInteger(tokens) || tokens < 0 || tokens > limits.slotTokens)
    throw new RunnerArgumentError(`tokens is ${tokens}; it must be 0 to ${limits.slotTokens}, a slot's capacity.`);
}

/** @throws RunnerArgumentError when a trim names a slot or more tokens than there are */
export function assertTrim(limits: RunnerLimits, slot: number, tokens: number): void {
  assertCopy(limits, slot, slot, tokens);
}

/** @throws RunnerArgumentError when a copy between a block and a slot names one that is not there, or too many tokens */
export function assertBlockCopy(
  limits: RunnerLimits,
  { block, slot, firstToken, tokens }: { block: number; slot: number; firstToken: number; tokens: number },
): void {
  if (!Number.isInteger(block) || block < 0 || block >= limits.blocks)
    throw new RunnerArgumentError(`block is ${block}; there are ${limits.blocks}, numbered from 0.`);
  if (!Number.isInteger(tokens) || tokens < 1 || tokens > KV_BLOCK_TOKENS)
    throw new RunnerArgumentError(`tokens is ${tokens}; it must be 1 to ${KV_BLOCK_TOKENS}, a block's capacity.`);
  if (firstToken % KV_BLOCK_TOKENS !== 0)
    throw new RunnerArgumentError(
      `the first token is ${firstToken}; it must be a multiple of ${KV_BLOCK_TOKENS}, a block's capacity.`,
    );
  assertSlot(limits, 'slot', slot);
  assertRoom(limits, slot, firstToken, tokens);
}

function assertSlot(limits: RunnerLimits, name: string, slot: number): void {
  if (!Number.isInteger(slot) || slot < 0 || slot >= limits.slots)
    throw new RunnerArgumentError(`${name} is ${slot}; it must be 0 to ${limits.slots - 1}.`);
}

function assertCopySlot({ slots, parkingSlots }: RunnerLimits, name: string, slot: number): void {
  const count = slots + parkingSlots;
  if (!Number.isInteger(slot) || slot < 0 || slot >= count)
    throw new RunnerArgumentError(`${name} is ${slot}; it must be 0 to ${count - 1}.`);
}

function assertRoom(limits: RunnerLimits, slot: number, pastTokens: number, newTokens: number): void {
  if (!Number.isInteger(pastTokens) || pastTokens < 0)
    throw new RunnerArgumentError(`pastTokens of slot ${slot} is ${pastTokens}; it must be 0 or more.`);
  if (pastTokens + newTokens > limits.slotTokens)
    throw new RunnerArgumentError(
      `slot ${slot} holds ${limits.slotTokens} tokens; ${pastTokens} past and ${newTokens} new ones do not fit.`,
    );
}

function assertToken(limits: RunnerLimits, tokenId: number): void {
  if (tokenId < 0 || tokenId >= limits.vocabularySize)
    throw new RunnerArgumentError(`token id ${tokenId} is not in the vocabulary of ${limits.vocabularySize}.`);
}
