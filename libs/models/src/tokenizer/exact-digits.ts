/**
 * The library's `Digits` step knows ASCII digits only; the reference splits at every numeric character (Unicode category
 * N, so also `²` and `ⅷ`). This puts the equivalent `Split` step in its place, in nested sequences too.
 */
export function withExactDigits(step: unknown): unknown {
  if (typeof step !== 'object' || step === null || !('type' in step)) {
    return step;
  }
  if (step.type === 'Sequence' && 'pretokenizers' in step && Array.isArray(step.pretokenizers)) {
    return { ...step, pretokenizers: step.pretokenizers.map(withExactDigits) };
  }
  if (step.type !== 'Digits') {
    return step;
  }
  const individual = 'individual_digits' in step && step.individual_digits === true;
  return {
    type: 'Split',
    pattern: { Regex: individual ? '\\p{N}' : '\\p{N}+' },
    behavior: individual ? 'Isolated' : 'Contiguous',
    invert: false,
  };
}
