import { MillraceError } from '#contracts';
import type { PromptTraits } from '#models';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import { effortsOf, type ReasoningEffort } from '../reasoning-effort.ts';
import type { ValidGenerateRequest } from '../valid-generate-request.ts';

/**
 * The variables that a request sets in the chat template: its own, and that by which the template knows the effort.
 * @throws MillraceError unsupported_parameter for a name that the template does not read, or an effort that the model can
 *   not keep to; invalid_request where both set the same
 */
export function templateVariablesOf(
  { templateVariables, reasoningEffort }: ValidGenerateRequest,
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
  if (reasoningEffort === null) return templateVariables;
  const ofEffort = effortVariables(reasoningEffort, card.model, traits.reasoning);
  const twice = Object.keys(ofEffort).find((name) => Object.hasOwn(templateVariables, name));
  if (twice !== undefined) {
    throw new MillraceError(
      'invalid_request',
      `reasoning_effort and chat_template_kwargs.${twice} set the same for "${card.model}". Send one of them.`,
      { param: 'reasoning_effort' },
    );
  }
  return { ...templateVariables, ...ofEffort };
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
