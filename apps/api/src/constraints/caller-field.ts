import { MillraceError } from '#contracts';
import type { ValidGenerateRequest } from '../generate/valid-generate-request.ts';
import { FORM_PLACE } from './constraint-checker.ts';

type Asked = Pick<ValidGenerateRequest, 'constraintField' | 'toolUse'>;

/**
 * The refusal of a constraint in the caller's own spelling. Verdicts know a form of the answer by one name, whichever field
 * says it; grammars know a tool by its name, callers by its place: `tools.weather.function` becomes `tools[0].function`. The
 * message goes on naming the tool.
 */
export function withCallersField(error: MillraceError, { constraintField, toolUse }: Asked): MillraceError {
  const { param } = error;
  if (param === null) return error;
  if (constraintField !== null && param.startsWith(FORM_PLACE)) {
    return withParam(error, constraintField + param.slice(FORM_PLACE.length));
  }
  const [, name = ''] = /^tools\.([\w-]+)/.exec(param) ?? [];
  const tools = toolUse?.tools ?? [];
  const place = tools.findIndex((tool) => tool.name === name);
  if (place < 0) return error;
  const within = param.slice(`tools.${name}`.length);
  return withParam(error, `tools[${place}]${tools[place].isCustom ? customField(within) : within}`);
}

/** Where a custom tool has what its function has. */
function customField(within: string): string {
  if (within === '.input') return '.custom.format.grammar.definition';
  return within === '.function.name' ? '.custom.name' : '.custom';
}

function withParam(error: MillraceError, param: string): MillraceError {
  return new MillraceError(error.code, error.message, { param, cause: error });
}
