/** Whether no bit is set. */
export function allowsNothing(allowed: Int32Array): boolean {
  for (let word = 0; word < allowed.length; word++) if (allowed[word] !== 0) return false;
  return true;
}

/** A bit for each token of the vocabulary. [ceil(vocabularySize / 32)] */
export function allTokens(vocabularySize: number): Int32Array {
  const allowed = new Int32Array(Math.ceil(vocabularySize / 32)).fill(-1);
  if (vocabularySize % 32 !== 0) allowed[allowed.length - 1] = (1 << (vocabularySize % 32)) - 1;
  return allowed;
}

export function leaveOut(allowed: Int32Array, token: number): void {
  allowed[token >>> 5] &= ~(1 << (token & 31));
}
