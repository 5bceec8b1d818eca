import { z } from 'zod';
import { MillraceError } from '#contracts';
import { BodyStructureError } from './body-structure-error.ts';
import { unsupportedRemedy } from './harmless-only.ts';
import { nearestName } from './nearest-name.ts';
import { isWholeAt, type Path, schemaAt, shapesAt, valueAt, wordsAt } from './schema-at.ts';

/** Most characters of a wrong value that a message repeats. */
const MAX_SHOWN_CHARACTERS = 80;
const NON_TEXT_PARTS = new Set(['image_url', 'input_audio', 'file', 'refusal', 'video_url', 'audio_url']);
const ROLES = 'system, developer, user, assistant, tool';

/** JSON's names of types that zod calls otherwise. */
const TYPE_NAMES: Readonly<Record<string, string>> = { int: 'integer', record: 'object' };

/** Issues of a value that has the right type. */
const VALUE_ISSUES: ReadonlySet<string> = new Set([
  'too_small',
  'too_big',
  'invalid_value',
  'not_multiple_of',
  'custom',
]);

/** The error for a body that `schema` refused: its first problem, with field, value and remedy. */
export function describeProblem(schema: z.ZodType, error: z.ZodError, body: unknown): MillraceError {
  const issue = mostTelling(error.issues);
  const path = issue.path;
  const value = valueAt(body, path);
  const field = spell(path);

  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const unknown = spell([...path, key]);
    const meant = nearestName(key, honouredAt(schema, path, body));
    const remedy =
      meant === null ? 'Remove it from the request.' : `Did you mean ${spell([...path, meant])}? Remove it otherwise.`;
    return new BodyStructureError('unsupported_parameter', `Unknown parameter: ${unknown}. ${remedy}`, {
      param: unknown,
    });
  }
  const remedy = remedyFor(schema, path, body);
  if (remedy !== null) {
    const [head] = remedy.path.length > 0 ? [spell(remedy.path)] : [field];
    const shown = show(valueAt(body, remedy.path));
    return new (classOf(remedy.path, 'too_small'))(
      'unsupported_parameter',
      `${head} ${shown} is not supported. ${remedy.text} Remove it.`,
      {
        param: head,
      },
    );
  }
  if (path.at(-1) === 'type' && typeof value === 'string' && NON_TEXT_PARTS.has(value)) {
    return new BodyStructureError(
      'unsupported_parameter',
      `${field} ${show(value)} is not supported: the models here read text only. Send parts of the type "text".`,
      { param: field },
    );
  }
  if (path.at(-1) === 'role' && issue.code === 'invalid_union') {
    const shown = value === undefined ? `${field} is missing` : `${field} is ${show(value)}`;
    return new BodyStructureError('invalid_request', `${shown}. It must be one of: ${ROLES}.`, { param: field });
  }
  const choices = issue.code === 'invalid_union' ? wordsAt(schema, path, body) : [];
  if (choices.length > 0) {
    const shown = value === undefined ? `${field} is missing` : `${field} is ${show(value)}`;
    return new (classOf(path, typeof value === 'string' ? 'invalid_value' : 'invalid_type'))(
      'invalid_request',
      `${shown}. It must be one of: ${choices.map((word) => JSON.stringify(word)).join(', ')}.`,
      { param: field },
    );
  }
  if (path.length === 0) {
    return new BodyStructureError(
      'invalid_request',
      'The request body is not a JSON object. Send an object with model and messages.',
    );
  }
  const shown = value === undefined ? `${field} is missing` : `${field} is ${show(value)}`;
  const ofAnotherType =
    issue.code === 'invalid_value' && issue.values.every((allowed) => typeof allowed !== typeof value);
  return new (classOf(path, ofAnotherType ? 'invalid_type' : issue.code))(
    'invalid_request',
    `${shown}. ${expectation(issue, isWholeAt(schema, path, body))}`,
    { param: field },
  );
}

/** Whatever is wrong with the messages is a matter of structure, and so is a value of the wrong type. */
function classOf(path: Path, issueCode: string): typeof MillraceError {
  return path[0] !== 'messages' && VALUE_ISSUES.has(issueCode) ? MillraceError : BodyStructureError;
}

/** In a union, the branch that got furthest tells what the caller meant. */
function mostTelling(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue {
  const [first] = issues;
  if (first === undefined) throw new RangeError('A ZodError without issues.');
  if (first.code !== 'invalid_union') return first;
  const deeper = first.errors
    .filter((branch) => branch.length > 0)
    .map((branch) => mostTelling(branch))
    .filter((issue) => issue.path.length > 0 || issue.code !== 'invalid_type')
    .sort((one, other) => other.path.length - one.path.length)[0];
  return deeper === undefined ? first : { ...deeper, path: [...first.path, ...deeper.path] };
}

/**
 * What the field should be instead, as a sentence.
 * @param isWhole whether it is a number without fraction, of which the issue says no more than that it is a number
 */
function expectation(issue: z.core.$ZodIssue, isWhole: boolean): string {
  switch (issue.code) {
    case 'invalid_type':
      return `It must be of the type ${isWhole ? 'integer' : (TYPE_NAMES[issue.expected] ?? issue.expected)}.`;
    case 'too_small':
      return `It must ${sized(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}.`;
    case 'too_big':
      return `It must ${sized(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin)}.`;
    case 'invalid_union': {
      const types = issue.errors.flatMap((branch) =>
        branch.flatMap((inner) =>
          inner.code === 'invalid_type' ? [TYPE_NAMES[inner.expected] ?? inner.expected] : [],
        ),
      );
      return `It must be ${types.length > 0 ? `one of the types: ${types.join(', ')}` : 'another value'}.`;
    }
    case 'invalid_value':
      return `It must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}.`;
    case 'invalid_key':
      return `Its keys ${issue.issues[0]?.message ?? 'are not valid'}.`;
    default:
      return /^must|^may/.test(issue.message) ? `It ${issue.message}.` : `${issue.message}.`;
  }
}

function sized(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be';
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}

/** The remedy of the field that is not honoured, when the path leads to or into one. */
function remedyFor(root: z.ZodType, path: Path, body: unknown): { readonly text: string; readonly path: Path } | null {
  for (const depth of path.keys()) {
    const leading = path.slice(0, depth + 1);
    const text = unsupportedRemedy(schemaAt(root, leading, body));
    if (text !== null) return { text, path: leading };
  }
  return null;
}

/** The fields that the object at a path may have, but for those that are not honoured. */
function honouredAt(root: z.ZodType, path: Path, body: unknown): string[] {
  return shapesAt(root, path, body).flatMap((shape) =>
    Object.entries(shape).flatMap(([name, field]) => (unsupportedRemedy(field as z.ZodType) === null ? [name] : [])),
  );
}

/** `messages[2].content`, the spelling of OpenAI's `param`. */
function spell(path: Path): string {
  return path
    .map((key, depth) => (typeof key === 'number' ? `[${key}]` : `${depth > 0 ? '.' : ''}${String(key)}`))
    .join('');
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
}
