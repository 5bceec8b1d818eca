/** A function that the model may call, as in OpenAI's `tools[].function`. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the arguments object; none means an object without properties. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** A tool whose calls are read. */
export interface CallableTool extends ToolDefinition {
  /** Whether it takes a text (OpenAI's custom tools), which the model writes as the argument `input`; else its arguments as JSON. */
  readonly isCustom?: boolean;
}

/** Which calls an output parser accepts. A call of another name is text. */
export interface ToolSet {
  accepts(name: string): boolean;
  /** Whether what is told of its calls is the text of their `input`. */
  isCustom(name: string): boolean;
  /** The schema of one argument, where it is known: formats without JSON types need it. */
  argumentSchema(name: string, argument: string): unknown;
}

/** The calls of exactly these tools. */
export function toolSetOf(tools: readonly CallableTool[]): ToolSet {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    accepts: (name) => byName.has(name),
    isCustom: (name) => byName.get(name)?.isCustom ?? false,
    argumentSchema: (name, argument) => {
      const properties = byName.get(name)?.parameters?.properties;
      return isRecord(properties) && Object.hasOwn(properties, argument) ? properties[argument] : undefined;
    },
  };
}

/** Calls of any name, arguments of unknown types. */
export const ANY_TOOL: ToolSet = Object.freeze({
  accepts: (name: string) => name.length > 0,
  isCustom: () => false,
  argumentSchema: () => undefined,
});

/** Whether a value of this schema can only be a string, so that text is taken as it stands. */
export function isStringSchema(schema: unknown): boolean {
  if (!isRecord(schema)) return false;
  if (Array.isArray(schema.enum)) return schema.enum.every((value) => typeof value === 'string');
  return schema.type === 'string' || typeof schema.const === 'string';
}

/** Whether no value of this schema is a string, as its type tells. */
export function excludesStrings(schema: unknown): boolean {
  return isRecord(schema) && schema.type !== undefined && ![schema.type].flat().includes('string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
