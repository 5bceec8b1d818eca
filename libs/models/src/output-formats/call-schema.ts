import type { ToolDefinition } from './tool-set.ts';

/** A JSON schema, as an object. */
export type CallSchema = Readonly<Record<string, unknown>>;

export interface CallSchemaOptions {
  /** The members that a call is written with. Default `name` and `arguments`, as in the Hermes and the generic form. */
  readonly keys?: { readonly name: string; readonly arguments: string };
}

/**
 * The JSON schema of one call of any of these tools: an object with the tool's name first and its arguments second, one
 * alternative for each tool, so that a token mask can enforce that name and arguments belong together. For a named
 * `tool_choice` pass that tool alone. A tool without parameters takes an object without members.
 *
 * `$defs` of a tool's own schema stay inside it, so a `$ref` that is counted from the root (`#/$defs/x`) is moved to where
 * the tool's schema stands.
 */
export function callSchema(tools: readonly ToolDefinition[], options: CallSchemaOptions = {}): CallSchema {
  const { keys = { name: 'name', arguments: 'arguments' } } = options;
  const alternatives = tools.map((tool, index) => {
    const place = tools.length === 1 ? '#' : `#/anyOf/${index}`;
    return {
      type: 'object',
      properties: {
        [keys.name]: { const: tool.name },
        [keys.arguments]: argumentsSchema(tool, `${place}/properties/${keys.arguments}`),
      },
      required: [keys.name, keys.arguments],
      additionalProperties: false,
    };
  });
  const [only] = alternatives;
  return alternatives.length === 1 && only ? only : { anyOf: alternatives };
}

/**
 * The JSON schema of a list of calls, for `tool_choice: required` with parallel calls.
 * @param maxCalls 1 where `parallel_tool_calls` is false
 */
export function callListSchema(tools: readonly ToolDefinition[], maxCalls?: number): CallSchema {
  const items = callSchema(tools);
  const moved = moveReferences(items, '#/items');
  return { type: 'array', items: moved, minItems: 1, ...(maxCalls === undefined ? {} : { maxItems: maxCalls }) };
}

function argumentsSchema(tool: ToolDefinition, place: string): unknown {
  if (!tool.parameters) return { type: 'object', properties: {}, additionalProperties: false };
  return moveReferences({ type: 'object', ...tool.parameters }, place);
}

/** Prefixes every reference that is counted from the root; names and constants that look like one stay. */
function moveReferences(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => moveReferences(item, place));
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (key === '$ref' && typeof value === 'string' && (value === '#' || value.startsWith('#/'))) {
        return [key, place + value.slice(1)];
      }
      return [
        key,
        key === 'const' || key === 'enum' || key === 'default' || key === 'examples'
          ? value
          : moveReferences(value, place),
      ];
    }),
  );
}
