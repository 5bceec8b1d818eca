import { mergeSchemas } from './merge-schemas.ts';
import { refusal, typesOf } from './schema-checks.ts';
import { hasType, isSchemaObject, type SchemaObject } from './schema-keywords.ts';
import { mayNotHold, possibleTypes, requiredOf, type SchemaReader, valuesOf } from './schema-reader.ts';
import type { SchemaPath } from './schema-refused-error.ts';

const MAX_BRANCHES = 64;

/**
 * The branches of a `oneOf`, such that what is written for one is valid against no other. Where two may both be valid, objects
 * are told apart by what they hold: one of the properties that the other branch requires, and this one does not, is
 * never written. Of `oneOf: [{ required: ['id'] }, { required: ['owner', 'repo'] }]` the first has no `owner` and the second no `id`.
 *
 * @param base what stands beside the `oneOf`
 * @throws SchemaRefusedError where two branches can not be told apart
 */
export function exclusiveBranches(
  reader: SchemaReader,
  base: SchemaObject,
  branches: readonly unknown[],
  path: SchemaPath,
): readonly unknown[] {
  if (branches.length > MAX_BRANCHES) {
    throw refusal(path, `"oneOf" with more than ${MAX_BRANCHES} branches is not supported; use "anyOf".`);
  }
  const given = withoutSharedNull(branches);
  const absent = given.map(() => new Set<string>());
  for (let first = 0; first < given.length; first++) {
    for (let second = first + 1; second < given.length; second++) {
      if (reader.areDisjoint(given[first], given[second], path)) continue;
      const [one, other] = [first, second].map((index) => wholeBranch(reader, base, given[index], [...path, index]));
      const [ofOne, ofOther] = [apart(reader, one, other, path), apart(reader, other, one, path)];
      if (ofOne === null || ofOther === null) {
        throw refusal(
          path,
          `branches ${first} and ${second} may both be valid, which "oneOf" forbids; use "anyOf", or tell them apart by type, by a required property with a const, or by properties that only one of them requires.`,
          'unsupported_parameter',
        );
      }
      for (const name of ofOne) absent[first].add(name);
      for (const name of ofOther) absent[second].add(name);
    }
  }
  return given.map((branch, index) => {
    if (absent[index].size === 0) return branch;
    const never = Object.fromEntries([...absent[index]].map((name) => [name, false]));
    return { allOf: [branch, { properties: never }] };
  });
}

/** A branch with what stands beside it; null where it is not known what its values hold. */
function wholeBranch(reader: SchemaReader, base: SchemaObject, branch: unknown, path: SchemaPath): SchemaObject | null {
  const target = reader.withAllOf(branch, path);
  if (typeof target === 'boolean') return null;
  // OpenAPI's `nullable` beside a `oneOf` speaks of the whole, not of its branches.
  const { nullable: _, ...rest } = base;
  const whole = mergeSchemas(rest, target, path);
  return whole.anyOf === undefined && whole.oneOf === undefined ? whole : null;
}

/**
 * What objects of one schema must not hold so that none of them is valid against the other: a name or nothing; null where
 * that is not enough.
 */
function apart(
  reader: SchemaReader,
  one: SchemaObject | null,
  other: SchemaObject | null,
  path: SchemaPath,
): readonly string[] | null {
  if (one === null || other === null || valuesOf(one) !== null) return null;
  const theirTypes = possibleTypes(other);
  const shared = typesOf(one, path).filter(
    (type) => hasType(type, theirTypes) || theirTypes.some((their) => hasType(their, [type])),
  );
  if (!shared.every((type) => type === 'object')) return null;
  if (reader.areDisjoint(one, other, path)) return [];
  const [own, theirs] = [requiredOf(one), requiredOf(other)];
  if (own.some((name) => mayNotHold(other, name))) return [];
  const missing = theirs.filter((name) => !own.includes(name));
  if (missing.some((name) => mayNotHold(one, name))) return [];
  return missing.length === 0 ? null : [missing[0]];
}

/**
 * The branches without a null that several of them allow: what is valid against two is against none. Of schemas
 * like Kubernetes', which write nullable types so. Only where all branches tell by their types alone whether they allow it.
 */
function withoutSharedNull(branches: readonly unknown[]): readonly unknown[] {
  const types = branches.map((branch) => (isTold(branch) ? [branch.type].flat() : null));
  if (types.includes(null) || types.filter((each) => each?.includes('null')).length < 2) return branches;
  return branches.map((branch, index) => {
    const left = types[index]?.filter((type) => type !== 'null') ?? [];
    return left.length > 0 && { ...(branch as SchemaObject), type: left };
  });
}

function isTold(branch: unknown): branch is SchemaObject {
  const others = ['$ref', 'allOf', 'anyOf', 'oneOf', 'enum', 'const', 'nullable', 'not'];
  return (
    isSchemaObject(branch) && branch.type !== undefined && !others.some((keyword) => Object.hasOwn(branch, keyword))
  );
}
