import { isSchemaObject, type SchemaObject } from './schema-keywords.ts';
import { type SchemaPath, SchemaRefusedError } from './schema-refused-error.ts';

interface Placed {
  readonly schema: unknown;
  readonly path: SchemaPath;
}

/** `if`, with what follows where it holds and where it does not; the other keywords of conditions say the same more shortly. */
export interface Condition {
  readonly asked: unknown;
  readonly path: SchemaPath;
  readonly consequence: Placed;
  readonly alternative: Placed;
}

/** Conditions of schemas that were merged, under the keyword `conditions`, which no document can hold. */
export class MergedConditions {
  readonly all: readonly Condition[];

  constructor(all: readonly Condition[]) {
    this.all = all;
  }
}

const KEYWORDS = ['if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'dependencies'];

/** Whether it is one of those that `conditionsOf` reads. A document's own `conditions` is an unknown keyword. */
export function isCondition(keyword: string, value: unknown): boolean {
  return KEYWORDS.includes(keyword) || value instanceof MergedConditions;
}

/** The conditions of a schema. @throws SchemaRefusedError where one is malformed */
export function conditionsOf(schema: SchemaObject, path: SchemaPath): readonly Condition[] {
  const found: Condition[] = [];
  // Without an `if`, `then` and `else` say nothing.
  if (schema.if !== undefined) {
    const placed = (keyword: string) => ({ schema: schema[keyword] ?? true, path: [...path, keyword] });
    found.push({ asked: schema.if, path: [...path, 'if'], consequence: placed('then'), alternative: placed('else') });
  }
  for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
    const dependencies = schema[keyword];
    if (dependencies === undefined) continue;
    if (!isSchemaObject(dependencies)) {
      throw new SchemaRefusedError('invalid_request', [...path, keyword], 'it is not an object.');
    }
    for (const [name, needed] of Object.entries(dependencies)) {
      const at = [...path, keyword, name];
      if (keyword === 'dependentRequired' && !Array.isArray(needed)) {
        throw new SchemaRefusedError('invalid_request', at, 'it is not an array of strings.');
      }
      const consequence = { schema: Array.isArray(needed) ? { required: needed } : needed, path: at };
      found.push({ asked: { required: [name] }, path: at, consequence, alternative: { schema: true, path: at } });
    }
  }
  const { conditions } = schema;
  return conditions instanceof MergedConditions ? [...conditions.all, ...found] : found;
}
