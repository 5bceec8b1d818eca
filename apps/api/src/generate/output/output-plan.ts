import type { OutputConstraint } from '#contracts';
import { answerFormatOf, freeAnswerFormatOf, outputFormatOf } from '#models';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import type { RenderedTokens } from '../../rendering/prompt-source.ts';
import { budgetTokensOf, type ReasoningEffort } from '../reasoning-effort.ts';
import type { ToolUse } from '../tool-use.ts';
import type { ValidGenerateRequest } from '../valid-generate-request.ts';
import type { OutputReading } from './output-reading.ts';

type PlannedModel = Pick<CataloguedModel, 'card' | 'traits'>;

/**
 * What the answers of a request must be, given where its prompt ends; null for free text. Calls that are asked for, of
 * strict tools, or of which there may be one only, are held to their form, and so are those beside which an answer is JSON;
 * other calls are the model's own affair.
 */
export function plannedConstraint(
  request: ValidGenerateRequest,
  model: PlannedModel,
  prompt: Pick<RenderedTokens, 'reasoning'>,
): OutputConstraint | null {
  const { constraint, reasoningEffort } = request;
  const block = reasoningBlock(reasoningEffort, model, prompt);
  const reasoning = block === null ? {} : { reasoning: block };
  const calls = heldCalls(request);
  if (calls === null && constraint !== null) return { ...constraint, ...reasoning };
  if (calls === null) return block?.budgetTokens === undefined ? null : { type: 'text', reasoning: block };
  return {
    type: 'tool_calls',
    format: answerFormatOf(model.card, model.traits).name,
    tools: calls.tools
      .filter((tool) => calls.callable.includes(tool.name))
      .map(({ name, parameters, strict }) => ({ name, parameters: parameters ?? null, strict })),
    choice: calls.choice,
    parallel: mayRepeat(calls, calls.choice === 'auto' && constraint === null, model),
    ...(constraint === null || calls.choice !== 'auto' ? {} : { content: schemaOf(constraint) }),
    ...reasoning,
  };
}

/** By what the answers of a request are taken apart. */
export function plannedReading(
  requestId: string,
  request: ValidGenerateRequest,
  model: PlannedModel,
  prompt: Pick<RenderedTokens, 'reasoning'>,
): OutputReading {
  const { choices, toolUse } = request;
  const held = heldCalls(request);
  return {
    requestId,
    choices,
    format: (held === null ? freeAnswerFormatOf : answerFormatOf)(model.card, model.traits),
    tools: toolUse === null ? null : toolUse.tools.filter((tool) => toolUse.callable.includes(tool.name)),
    reasoning: model.traits.reasoning === null ? 'off' : prompt.reasoning,
    wholeCalls: toolUse !== null && held === null,
    ...(held === null ? {} : { heldTo: held.choice === 'auto' ? ('text and calls' as const) : ('calls' as const) }),
  };
}

/** The calls that are held to their form; null where there are none, or what comes is read as it comes. */
function heldCalls({ constraint, toolUse }: ValidGenerateRequest): ToolUse | null {
  if (toolUse === null) return null;
  const { tools, callable, choice, parallel } = toolUse;
  const hasStrict = tools.some((tool) => tool.strict && callable.includes(tool.name));
  return choice !== 'auto' || parallel === false || hasStrict || constraint !== null ? toolUse : null;
}

/** The schema of the document that an answer is. Texts of another form have none, and stand beside no calls. */
function schemaOf(constraint: NonNullable<ValidGenerateRequest['constraint']>): Record<string, unknown> {
  if (constraint.type === 'json_schema') return constraint.schema;
  if (constraint.type === 'json_object') return { type: 'object' };
  throw new TypeError(`A constraint of the type "${constraint.type}" stands beside tools.`);
}

/**
 * Whether more than one call may come. A function that is asked for by name is called once, as OpenAI does it. A model that
 * was never taught to call tools does not know either when it has called enough: asked for a call, or for a call or JSON, it
 * makes one.
 */
function mayRepeat({ choice, parallel }: ToolUse, isFree: boolean, { traits }: PlannedModel): boolean {
  if (typeof choice === 'object') return false;
  return parallel ?? (isFree || traits.tools !== 'none');
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
