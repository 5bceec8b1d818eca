/** Whether no bit is set. */
export function allowsNothing(allowed: Int32Array): boolean {
  for (let word = 0; word < allowed.length; word++) if (allowed[word] !== 0) return false;
  return true;
}

/**
 * Sets the logits of all tokens but the allowed ones to −Infinity. Whole words are handled at once: nothing is done for
 * 32 allowed tokens, one fill for 32 forbidden ones.
 *
 * @param logits [vocabularySize], changed in place
 * @param allowed [ceil(vocabularySize / 32)]
 */
export function maskLogits(logits: Float32Array, allowed: Int32Array): void {
  for (let word = 0; word < allowed.length; word++) {
    const bits = allowed[word];
    if (bits === -1) continue;
    const first = word * 32;
    if (bits === 0) {
      logits.fill(Number.NEGATIVE_INFINITY, first, first + 32);
      continue;
    }
    const end = Math.min(first + 32, logits.length);
    for (let token = first; token < end; token++) {
      if ((bits & (1 << (token - first))) === 0) logits[token] = Number.NEGATIVE_INFINITY;
    }
  }
}
