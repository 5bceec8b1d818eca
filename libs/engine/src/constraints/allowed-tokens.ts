/** Whether no bit is set. */
export function allowsNothing(allowed: Int32Array): boolean {
  for (let word = 0; word < allowed.length; word++) if (allowed[word] !== 0) return false;
  return true;
}
