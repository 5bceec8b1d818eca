import { z } from 'zod';
import { MillraceError } from '#contracts';
import { ChatCompletionBody } from './chat-completion-body.ts';
import { unsupportedRemedy } from './harmless-only.ts';

type Path = readonly PropertyKey[];

/** Most characters of a wrong value that a message repeats. */
const MAX_SHOWN_CHARACTERS = 80;
const NON_TEXT_PARTS = new Set(['image_url', 'input_audio', 'file', 'refusal', 'video_url', 'audio_url']);
const ROLES = 'system, developer, user, assistant, tool';

/** The error for a body that `ChatCompletionBody` refused: its first problem, with field, value and remedy. */
export function describeProblem(error: z.ZodError, body: unknown): MillraceError {
  const issue = mostTelling(error.issues);
  const path = issue.path;
  const value = valueAt(body, path);
  const field = spell(path);

  if (issue.code === 'unrecognized_keys') {
    const unknown = spell([...path, issue.keys[0] ?? '']);
    return new MillraceError('unsupported_parameter', `Unknown parameter: ${unknown}. Remove it from the request.`, {
      param: unknown,
    });
  }
  const remedy = remedyFor(path);
  if (remedy !== null) {
    const [head] = remedy.path.length > 0 ? [spell(remedy.path)] : [field];
    const shown = show(valueAt(body, remedy.path));
    return new MillraceError('unsupported_parameter', `${head} ${shown} is not supported. ${remedy.text} Remove it.`, {
      param: head,
    });
  }
  if (path.at(-1) === 'type' && typeof value === 'string' && NON_TEXT_PARTS.has(value)) {
    return new MillraceError(
      'unsupported_parameter',
      `${field} ${show(value)} is not supported: the models here read text only. Send parts of the type "text".`,
      { param: field },
    );
  }
  if (path.at(-1) === 'role' && issue.code === 'invalid_union') {
    const shown = value === undefined ? `${field} is missing` : `${field} is ${show(value)}`;
    return new MillraceError('invalid_request', `${shown}. It must be one of: ${ROLES}.`, { param: field });
  }
  if (path.length === 0) {
    return new MillraceError(
      'invalid_request',
      'The request body is not a JSON object. Send an object with model and messages.',
    );
  }
  const shown = value === undefined ? `${field} is missing` : `${field} is ${show(value)}`;
  return new MillraceError('invalid_request', `${shown}. ${expectation(issue)}`, { param: field });
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

/** What the field should be instead, as a sentence. */
function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `It must be of the type ${issue.expected === 'int' ? 'integer' : issue.expected}.`;
    case 'too_small':
      return `It must ${sized(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}.`;
    case 'too_big':
      return `It must ${sized(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin)}.`;
    case 'invalid_union': {
      const types = issue.errors.flatMap((branch) =>
        branch.flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : [])),
      );
      return `It must be ${types.length > 0 ? `one of the types: ${types.join(', ')}` : 'another value'}.`;
    }
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
function remedyFor(path: Path): { readonly text: string; readonly path: Path } | null {
  let schema: z.ZodType | undefined = ChatCompletionBody;
  for (const [depth, key] of path.entries()) {
    schema = schemaBelow(schema, key);
    const text = unsupportedRemedy(schema);
    if (text !== null) return { text, path: path.slice(0, depth + 1) };
  }
  return null;
}

function schemaBelow(schema: z.ZodType | undefined, key: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return schemaBelow(schema.unwrap() as z.ZodType, key);
  }
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodUnion) {
    return (schema.options as z.ZodType[])
      .map((option) => schemaBelow(option, key))
      .find((found) => found !== undefined);
  }
  return schema instanceof z.ZodObject ? (schema.shape[String(key)] as z.ZodType | undefined) : undefined;
}

function valueAt(body: unknown, path: Path): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
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
