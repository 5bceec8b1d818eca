import { MillraceError, type OutputConstraint } from '#contracts';
import { answerFormatOf, outputFormatOf } from '#models';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import type { RenderedTokens } from '../../rendering/prompt-source.ts';
import { budgetTokensOf, type ReasoningEffort } from '../reasoning-effort.ts';
import type { ToolUse } from '../tool-use.ts';
import type { ValidGenerateRequest } from '../valid-generate-request.ts';
import type { OutputReading } from './output-reading.ts';

type PlannedModel = Pick<CataloguedModel, 'card' | 'traits'>;

/**
 * What the answers of a request must be, given where its prompt ends; null for free text. Calls that are asked for, of
 * strict tools, or of which there may be one only, are held to their form; other calls are the model's own affair.
 * @throws MillraceError unsupported_parameter where the answer may be a call or JSON, since no mask knows which
 */
export function plannedConstraint(
  { constraint, toolUse, reasoningEffort }: ValidGenerateRequest,
  model: PlannedModel,
  prompt: Pick<RenderedTokens, 'reasoning'>,
): OutputConstraint | null {
  const block = reasoningBlock(reasoningEffort, model, prompt);
  const reasoning = block === null ? {} : { reasoning: block };
  const calls = toolUse !== null && isHeld(toolUse) ? toolUse : null;
  if (constraint !== null && toolUse?.choice === 'auto') {
    throw new MillraceError(
      'unsupported_parameter',
      `response_format "${constraint.type}" is not supported where the model may call tools as well. Set tool_choice to ` +
        '"none" for an answer in that format, or to "required" for a call; or remove one of the two.',
      { param: 'response_format' },
    );
  }
  if (calls === null && constraint !== null) return { ...constraint, ...reasoning };
  if (calls === null) return block?.budgetTokens === undefined ? null : { type: 'text', reasoning: block };
  return {
    type: 'tool_calls',
    format: answerFormatOf(model.card, model.traits).name,
    tools: calls.tools
      .filter((tool) => calls.callable.includes(tool.name))
      .map(({ name, parameters, strict }) => ({ name, parameters: parameters ?? null, strict })),
    choice: calls.choice,
    parallel: mayRepeat(calls, model),
    ...reasoning,
  };
}

/** By what the answers of a request are taken apart. */
export function plannedReading(
  requestId: string,
  { choices, toolUse }: ValidGenerateRequest,
  model: PlannedModel,
  prompt: Pick<RenderedTokens, 'reasoning'>,
): OutputReading {
  return {
    requestId,
    choices,
    format: answerFormatOf(model.card, model.traits),
    tools: toolUse === null ? null : toolUse.tools.filter((tool) => toolUse.callable.includes(tool.name)),
    reasoning: model.traits.reasoning === null ? 'off' : prompt.reasoning,
    wholeCalls: toolUse !== null && !isHeld(toolUse),
  };
}

function isHeld({ tools, callable, choice, parallel }: ToolUse): boolean {
  return choice !== 'auto' || parallel === false || tools.some((tool) => tool.strict && callable.includes(tool.name));
}

/**
 * Whether more than one call may come. A function that is asked for by name is called once, as OpenAI does it. A model that
 * was never taught to call tools does not know either when it has called enough: asked for a call, it makes one.
 */
function mayRepeat({ choice, parallel }: ToolUse, { traits }: PlannedModel): boolean {
  if (typeof choice === 'object') return false;
  return parallel ?? (choice === 'auto' || traits.tools !== 'none');
}

/** The block of reasoning before the part that is held to something; null for a model that writes none. */
function reasoningBlock(
  effort: ReasoningEffort | null,
  { card, traits }: PlannedModel,
  { reasoning: start }: Pick<RenderedTokens, 'reasoning'>,
) {
  if (!traits.reasoning?.block) return null;
  const budgetTokens = budgetTokensOf(effort, traits.reasoning);
  return { format: outputFormatOf(card).name, start, ...(budgetTokens === null ? {} : { budgetTokens }) };
}
