import type { PromptTraits } from '#models';

/** How much a model may think before it answers, as OpenAI names it. */
export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number];

/** The efforts that a model can keep to. One that does not reason does none, and no more than it must. */
export function effortsOf(reasoning: PromptTraits['reasoning']): readonly ReasoningEffort[] {
  if (reasoning === null) return ['none', 'minimal'];
  const { efforts, switch: name } = reasoning;
  if (efforts.length === 0) return REASONING_EFFORTS;
  return REASONING_EFFORTS.filter((effort) => efforts.includes(effort) || (effort === 'none' && name !== null));
}
