import { MillraceError } from '#contracts';
import type { ToolUse } from '../generate/tool-use.ts';

/**
 * The refusal of a tool's schema in the caller's own spelling: grammars know a tool by its name, callers by its place, and
 * `tools.weather.function` becomes `tools[0].function`. The message goes on naming the tool.
 */
export function withToolPlace(error: MillraceError, toolUse: ToolUse | null): MillraceError {
  const { param, code, message } = error;
  const [, name = ''] = /^tools\.([\w-]+)/.exec(param ?? '') ?? [];
  const place = (toolUse?.tools ?? []).findIndex((tool) => tool.name === name);
  if (param === null || place < 0) return error;
  return new MillraceError(code, message, { param: param.replace(/^tools\.[\w-]+/, `tools[${place}]`), cause: error });
}
