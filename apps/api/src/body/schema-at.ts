import { z } from 'zod';

const WRAPPERS = [z.ZodOptional, z.ZodNullable, z.ZodDefault, z.ZodReadonly];

/** From a body to one of its members. */
export type Path = readonly PropertyKey[];

export function valueAt(body: unknown, path: Path): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The schema of the member of `body` that a path leads to; undefined where the schema of the whole has none for it. */
export function schemaAt(root: z.ZodType, path: Path, body: unknown): z.ZodType | undefined {
  let schema: z.ZodType | undefined = root;
  for (const [depth, key] of path.entries()) schema = schemaBelow(schema, key, valueAt(body, path.slice(0, depth)));
  return schema;
}

/** The shapes that the object at a path may have. */
export function shapesAt(root: z.ZodType, path: Path, body: unknown): z.ZodObject['shape'][] {
  return shapesOf(schemaAt(root, path, body), valueAt(body, path));
}

/** Whether the path leads to a number without fraction. */
export function isWholeAt(root: z.ZodType, path: Path, body: unknown): boolean {
  const schema = unwrapped(schemaAt(root, path, body));
  return schema instanceof z.ZodNumberFormat;
}

/** The words that tell the shapes of a union apart, where the path leads to one of them; none elsewhere. */
export function wordsAt(root: z.ZodType, path: Path, body: unknown): string[] {
  const schema = unwrapped(schemaAt(root, path.slice(0, -1), body));
  if (!(schema instanceof z.ZodDiscriminatedUnion) || schema.def.discriminator !== path.at(-1)) return [];
  return (schema.options as z.ZodObject[]).flatMap((option) => {
    const word = option.shape[schema.def.discriminator];
    return word instanceof z.ZodLiteral ? [...word.values].map(String) : [];
  });
}

/** The schema of a member of `value`; where shapes are told apart by a member (a message's role), of the one it has. */
function schemaBelow(given: z.ZodType | undefined, key: PropertyKey, value: unknown): z.ZodType | undefined {
  const schema = unwrapped(given);
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodUnion) {
    return (schema.options as z.ZodType[])
      .filter((option) => mayBe(schema, option, value))
      .map((option) => schemaBelow(option, key, value))
      .find((found) => found !== undefined);
  }
  return schema instanceof z.ZodObject ? (schema.shape[String(key)] as z.ZodType | undefined) : undefined;
}

function shapesOf(given: z.ZodType | undefined, value: unknown): z.ZodObject['shape'][] {
  const schema = unwrapped(given);
  if (schema instanceof z.ZodUnion) {
    return (schema.options as z.ZodType[])
      .filter((option) => mayBe(schema, option, value))
      .flatMap((option) => shapesOf(option, value));
  }
  return schema instanceof z.ZodObject ? [schema.shape] : [];
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  let inner = schema;
  while (WRAPPERS.some((wrapper) => inner instanceof wrapper)) inner = (inner as z.ZodOptional).unwrap() as z.ZodType;
  return inner;
}

function mayBe(union: z.ZodUnion, option: z.ZodType, value: unknown): boolean {
  if (!(union instanceof z.ZodDiscriminatedUnion) || !(option instanceof z.ZodObject)) return true;
  const { discriminator } = union.def;
  return (option.shape[discriminator] as z.ZodType).safeParse(valueAt(value, [discriminator])).success;
}
