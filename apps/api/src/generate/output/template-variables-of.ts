import { MillraceError } from '#contracts';
import type { PromptTraits } from '#models';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import { effortsOf, type ReasoningEffort } from '../reasoning-effort.ts';
import type { ReasoningSwitch, ValidGenerateRequest } from '../valid-generate-request.ts';

/**
 * The variables that a request sets in the chat template: its own, and those by which the template knows the effort, and whether to reason.
 * @throws MillraceError unsupported_parameter for a name that the template does not read, or an effort that the model can
 *   not keep to; invalid_request where both set the same
 */
export function templateVariablesOf(
  { templateVariables, reasoningEffort, reasoningSwitch }: ValidGenerateRequest,
  { card, traits }: Pick<CataloguedModel, 'card' | 'traits'>,
): Readonly<Record<string, unknown>> {
  const { variables } = traits;
  for (const name of Object.keys(templateVariables)) {
    if (variables.includes(name)) continue;
    const known = variables.length === 0 ? 'It reads none.' : `It reads: ${variables.join(', ')}.`;
    const param = `chat_template_kwargs.${name}`;
    throw new MillraceError(
      'unsupported_parameter',
      `${param} is not supported: the chat template of "${card.model}" does not read it. ${known} Remove it.`,
      { param },
    );
  }
  const setBy = new Map(Object.keys(templateVariables).map((name) => [name, `chat_template_kwargs.${name}`]));
  const all: Record<string, unknown> = { ...templateVariables };
  const add = (field: string, more: Readonly<Record<string, unknown>>): void => {
    for (const [name, value] of Object.entries(more)) {
      const earlier = setBy.get(name);
      if (earlier !== undefined) {
        const message = `${field} and ${earlier} set the same for "${card.model}". Send one of them.`;
        throw new MillraceError('invalid_request', message, { param: field });
      }
      setBy.set(name, field);
      all[name] = value;
    }
  };
  if (reasoningEffort !== null) {
    add('reasoning_effort', effortVariables(reasoningEffort, card.model, traits.reasoning));
  }
  if (reasoningSwitch !== null) {
    add(reasoningSwitch.field, switchVariables(reasoningSwitch, card.model, traits.reasoning));
  }
  return all;
}

/** Off is what a model does that does not reason. */
function switchVariables(
  { field, on }: ReasoningSwitch,
  model: string,
  reasoning: PromptTraits['reasoning'],
): Readonly<Record<string, unknown>> {
  if (reasoning?.switch) return { [reasoning.switch]: on };
  if (reasoning === null && !on) return {};
  throw new MillraceError(
    'unsupported_parameter',
    `${field} is not supported: ${reasoning === null ? `"${model}" does not reason` : `the chat template of "${model}" has no boolean for it`}. Remove it, or send "reasoning_effort".`,
    { param: field },
  );
}

function effortVariables(
  effort: ReasoningEffort,
  model: string,
  reasoning: PromptTraits['reasoning'],
): Readonly<Record<string, unknown>> {
  const supported = effortsOf(reasoning);
  if (!supported.includes(effort)) {
    const why = reasoning === null ? `"${model}" does not reason before it answers` : `"${model}" was not made for it`;
    const values = supported.map((value) => `"${value}"`).join(', ');
    throw new MillraceError(
      'unsupported_parameter',
      `reasoning_effort "${effort}" is not supported: ${why}. Remove it, or send one of: ${values}.`,
      { param: 'reasoning_effort' },
    );
  }
  if (reasoning?.efforts.includes(effort)) return { reasoning_effort: effort };
  return reasoning?.switch ? { [reasoning.switch]: effort !== 'none' } : {};
}
