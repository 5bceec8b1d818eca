import { MillraceError } from '#contracts';
import type { CataloguedModel } from '../../catalogue/catalogued-model.ts';
import type { ReasoningEffort } from '../reasoning-effort.ts';
import type { ValidGenerateRequest } from '../valid-generate-request.ts';

/** What a model without reasoning does anyway: none, and no more than it must. */
const EFFORTS_WITHOUT_REASONING: readonly ReasoningEffort[] = ['none', 'minimal'];

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
  reasoning: CataloguedModel['traits']['reasoning'],
): Readonly<Record<string, unknown>> {
  if (reasoning === null) {
    if (EFFORTS_WITHOUT_REASONING.includes(effort)) return {};
    throw unsupported(effort, `"${model}" does not reason before it answers.`, EFFORTS_WITHOUT_REASONING);
  }
  if (reasoning.efforts.includes(effort)) return { reasoning_effort: effort };
  if (reasoning.switch !== null && (effort === 'none' || reasoning.efforts.length === 0)) {
    return { [reasoning.switch]: effort !== 'none' };
  }
  if (reasoning.efforts.length === 0) return {};
  const supported = [...(reasoning.switch === null ? [] : ['none']), ...reasoning.efforts];
  throw unsupported(effort, `"${model}" was not made for it.`, supported);
}

function unsupported(effort: ReasoningEffort, why: string, supported: readonly string[]): MillraceError {
  const values = supported.map((value) => `"${value}"`).join(', ');
  return new MillraceError(
    'unsupported_parameter',
    `reasoning_effort "${effort}" is not supported: ${why} Remove it, or send one of: ${values}.`,
    { param: 'reasoning_effort' },
  );
}
