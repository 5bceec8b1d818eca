/** Up to here differences of logits are held to a tolerance as it is. */
const USUAL_LOGIT = 8;

/** By how much more than usual logits may be rounded: what is rounded off is a part of what they are. 1 and above. */
export function roundingScale(logits: Float32Array): number {
  return logits.reduce((most, logit) => Math.max(most, Math.abs(logit)), USUAL_LOGIT) / USUAL_LOGIT;
}
