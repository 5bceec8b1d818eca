import type { ModelSignature } from './model-signature.ts';

/** The same model with runs that say of how many last positions they want the logits; or why they can not, and what to do. */
export function severalPositions(signature: ModelSignature): ModelSignature | string {
  const { countedEdits, logits, sideInputs } = signature;
  if (signature.rowsRunAlone)
    return 'its experts, or scales of activations for a whole run, would let tokens that are thrown away change those that stay';
  if (signature.states.length > 0)
    return 'states of some of its layers stand behind the last token that was computed, and can not go back before tokens that are thrown away';
  if (countedEdits === null)
    return (
      "its graph gives the last position's logits only, in a way that is not known here; export it with the logits of " +
      'every position, or import it anew (millrace models import)'
    );
  const counts = countedEdits.some(({ kind }) => kind === 'last-position' || kind === 'sliced-positions');
  if (!counts) return signature;
  return {
    ...signature,
    edits: countedEdits,
    logits: { ...logits, positions: 'last' },
    sideInputs: [...sideInputs, { kind: 'num_logits_to_keep', rank: 1 }],
  };
}
