import type { PromptTraits } from '#models';

/** How much a model may think before it answers, as OpenAI names it. */
export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number];

/**
 * Tokens that a model may think by its effort, where its template knows no efforts by name; null for as many as it likes.
 * `none` counts only for models that can not be told to leave it.
 */
const EFFORT_BUDGET_TOKENS: Readonly<Record<ReasoningEffort, number | null>> = {
  none: 0,
  minimal: 256,
  low: 1_024,
  medium: 4_096,
  high: 16_384,
  xhigh: 65_536,
  max: null,
};

/** The efforts that a model can keep to. One that does not reason does none, and no more than it must. */
export function effortsOf(reasoning: PromptTraits['reasoning']): readonly ReasoningEffort[] {
  if (reasoning === null) return ['none', 'minimal'];
  const { efforts, switch: name } = reasoning;
  if (efforts.length === 0) return REASONING_EFFORTS;
  return REASONING_EFFORTS.filter((effort) => efforts.includes(effort) || (effort === 'none' && name !== null));
}

/** What the thinking of a request is held to; null for nothing. */
export function budgetTokensOf(effort: ReasoningEffort | null, reasoning: PromptTraits['reasoning']): number | null {
  if (effort === null || reasoning === null || reasoning.block === null || reasoning.efforts.includes(effort))
    return null;
  return effort === 'none' && reasoning.switch !== null ? null : EFFORT_BUDGET_TOKENS[effort];
}
