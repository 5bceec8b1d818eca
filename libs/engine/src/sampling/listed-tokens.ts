import type { SamplingParameters } from '#contracts';
import { GREEDY_TEMPERATURE } from './sampler.ts';
import type { TokenPenalties } from './token-penalties.ts';

const NONE = new Int32Array(0);

export interface ListedTokens {
  readonly tokenIds: Int32Array;
  /** Others may be lowered by bias or penalties; none is raised. */
  readonly othersLowered: boolean;
}

/**
 * The tokens whose logits a choice needs wherever they stand: those that bias or penalties can raise above others; where a token is drawn, those that
 * they lower too, as far as there is room, because all others then weigh what the model gave them.
 * @param most tokens that can be listed
 * @returns null where more may be raised
 */
export function listedTokens(
  sampling: SamplingParameters,
  penalties: TokenPenalties | null,
  most: number,
): ListedTokens | null {
  const { logitBias, temperature } = sampling;
  if (logitBias.length === 0 && penalties === null) return { tokenIds: NONE, othersLowered: false };
  const changed = (loweredToo: boolean): number[] => {
    const biased = logitBias.filter(([, bias]) => loweredToo || bias > 0).map(([token]) => token);
    return [...biased, ...(penalties?.changedTokens(loweredToo) ?? [])];
  };
  const all = temperature >= GREEDY_TEMPERATURE ? changed(true) : null;
  if (all !== null && all.length <= most) return { tokenIds: Int32Array.from(all), othersLowered: false };
  const raised = changed(false);
  return raised.length > most ? null : { tokenIds: Int32Array.from(raised), othersLowered: true };
}
