import { MillraceError, type OutputConstraint } from '#contracts';
import {
  answerFormatOf,
  freeAnswerFormatOf,
  type OutputStanding,
  outputFormatOf,
  standingBehind,
  toolSetOf,
} from '#models';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import type { RenderedTokens } from '../../rendering/prompt-source.ts';
import { budgetTokensOf, type ReasoningEffort } from '../reasoning-effort.ts';
import type { RequestTool, ToolUse } from '../tool-use.ts';
import type { ValidGenerateRequest } from '../valid-generate-request.ts';
import type { OutputReading } from './output-reading.ts';

type PlannedModel = Pick<CataloguedModel, 'card' | 'traits'>;
type PlannedPrompt = Pick<RenderedTokens, 'reasoning' | 'begun'>;

/**
 * What the answers of a request must be, given where its prompt ends; null for free text. Calls that are asked for, of
 * strict tools, or of which there may be one only, are held to their form, and so are those beside which an answer is JSON;
 * other calls are the model's own affair. Where the prompt has the beginning of the answer, the form is that of what is new.
 *
 * @throws MillraceError invalid_request where that beginning ends in the middle of something that the form would have to finish
 */
export function plannedConstraint(
  request: ValidGenerateRequest,
  model: PlannedModel,
  prompt: PlannedPrompt,
): OutputConstraint | null {
  const standing = standingOf(request, model, prompt);
  const planned = constraintFrom(request, model, standing.reasoning);
  if (planned !== null) requireBorder(request, model, planned, standing, prompt);
  return planned;
}

function constraintFrom(
  request: ValidGenerateRequest,
  model: PlannedModel,
  start: OutputStanding['reasoning'],
): OutputConstraint | null {
  const { constraint, reasoningEffort } = request;
  const block = reasoningBlock(reasoningEffort, model, start);
  const reasoning = block === null ? {} : { reasoning: block };
  const calls = heldCalls(request);
  if (calls === null && constraint !== null) return { ...constraint, ...reasoning };
  if (calls === null) return block?.budgetTokens === undefined ? null : { type: 'text', reasoning: block };
  return {
    type: 'tool_calls',
    format: answerFormatOf(model.card, model.traits).name,
    tools: calls.tools.filter((tool) => calls.callable.includes(tool.name)).map(constrainedTool),
    choice: calls.choice,
    parallel: mayRepeat(calls, calls.choice === 'auto' && constraint === null, model),
    ...(constraint === null || calls.choice !== 'auto' ? {} : { content: schemaOf(constraint) }),
    ...reasoning,
  };
}

/** A custom tool's call has its one argument wherever calls are held to a form. */
function constrainedTool({ name, parameters, strict, isCustom = false, input }: RequestTool) {
  return { name, parameters: parameters ?? null, strict: strict || isCustom, ...(input && { input }) };
}

/** By what the answers of a request are taken apart. */
export function plannedReading(
  requestId: string,
  request: ValidGenerateRequest,
  model: PlannedModel,
  prompt: PlannedPrompt,
): OutputReading {
  const { choices, toolUse } = request;
  const held = heldCalls(request);
  // What is held to its form begins with what is new.
  const standing = held === null ? null : standingOf(request, model, prompt);
  const reasoning = standing?.reasoning ?? prompt.reasoning;
  return {
    requestId,
    choices,
    tellsTokenIds: request.tellsTokenIds,
    namesTokensByIds: request.namesTokensByIds,
    format: (held === null ? freeAnswerFormatOf : answerFormatOf)(model.card, model.traits),
    tools: toolUse === null ? null : toolUse.tools.filter((tool) => toolUse.callable.includes(tool.name)),
    reasoning: model.traits.reasoning === null || reasoning === 'closed' ? 'off' : reasoning,
    begun: held === null ? prompt.begun : '',
    wholeCalls: toolUse !== null && held === null,
    ...(held === null ? {} : { heldTo: held.choice === 'auto' ? ('text and calls' as const) : ('calls' as const) }),
  };
}

/** Where the answers stand when they go on with what the prompt has of them. */
function standingOf(
  { toolUse }: ValidGenerateRequest,
  { card, traits }: PlannedModel,
  { reasoning, begun }: PlannedPrompt,
): OutputStanding {
  if (begun === '') return { reasoning, isCut: false };
  const options = {
    format: freeAnswerFormatOf(card, traits),
    tools: toolUse === null ? null : toolSetOf(toolUse.tools),
    reasoning: traits.reasoning === null ? ('off' as const) : reasoning,
    callId: String,
    wholeCalls: true,
  };
  return standingBehind(options, begun);
}

/** @throws MillraceError invalid_request */
function requireBorder(
  { messages, constraintField, toolUse }: ValidGenerateRequest,
  { card, traits }: PlannedModel,
  planned: OutputConstraint,
  { isCut }: OutputStanding,
  { begun }: PlannedPrompt,
): void {
  // Where all of an answer stands in messages of the model's own, calls have heads that can not begin within a message.
  const isWithin =
    planned.type === 'tool_calls' && answerFormatOf(card, traits).readOutput !== undefined && begun.trim() !== '';
  if (!isCut && !isWithin) return;
  const last = messages.length - 1;
  const field = `messages[${last}].${messages[last]?.content === '' ? 'reasoning_content' : 'content'}`;
  const held = toolUse === null ? (constraintField ?? 'reasoning_effort') : 'tools that are held to their form';
  const end = isCut ? 'ends in the middle of a mark or of a call' : 'is within a message of the model’s own form';
  throw new MillraceError(
    'invalid_request',
    `${field} ${end}, behind which ${held} can not begin. End it before that, or remove ${toolUse === null ? held : 'tool_choice, strict, grammars of custom tools and parallel_tool_calls'}.`,
    { param: field },
  );
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

/** The block of reasoning before the part that is held to something; null where none comes. */
function reasoningBlock(
  effort: ReasoningEffort | null,
  { card, traits }: PlannedModel,
  start: OutputStanding['reasoning'],
) {
  if (!traits.reasoning?.block || start === 'closed') return null;
  const budgetTokens = budgetTokensOf(effort, traits.reasoning);
  return { format: outputFormatOf(card).name, start, ...(budgetTokens === null ? {} : { budgetTokens }) };
}
