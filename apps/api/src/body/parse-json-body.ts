import { isUtf8 } from 'node:buffer';
import { JsonBodyError } from './json-body-error.ts';
import { scanStructure } from './scan-structure.ts';
import { withoutTrailingCommas } from './trailing-commas.ts';

/** Deeper than any chat request and any sensible JSON schema in one. */
export const MAX_JSON_DEPTH = 64;

const LONE_SURROGATE_POSSIBLE = /\\u[dD][89a-fA-F]/;

export interface ParseJsonBodyOptions {
  /** Reads over a comma after the last member of an object or array. */
  readonly trailingCommas?: boolean;
}

/**
 * Reads a request body more strictly than `JSON.parse`: bad UTF-8, a key twice in one object, nesting beyond
 * `MAX_JSON_DEPTH`, lone surrogates and numbers too large for a double are errors instead of silent changes.
 * @throws JsonBodyError
 */
export function parseJsonBody(body: Buffer, options: ParseJsonBodyOptions = {}): unknown {
  if (body.length === 0) throw new JsonBodyError('is empty', 'Send a JSON object.');
  if (!isUtf8(body)) throw new JsonBodyError('is not valid UTF-8', 'Encode it as UTF-8.');
  const sent = body.toString('utf8');
  const text = options.trailingCommas ? withoutTrailingCommas(sent) : sent;
  const value = parse(text);
  scanStructure(text, MAX_JSON_DEPTH);
  if (LONE_SURROGATE_POSSIBLE.test(text)) refuseLoneSurrogates(value, '');
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JsonBodyError(`is not valid JSON (${(error as SyntaxError).message})`, 'Send a JSON object.', error);
  }
}

function refuseLoneSurrogates(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.isWellFormed()) return;
    throw new JsonBodyError(
      `has half of a surrogate pair in ${path === '' ? 'its text' : path}`,
      'Send whole Unicode characters.',
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    refuseLoneSurrogates(key, `a key of ${path === '' ? 'the object' : path}`);
    refuseLoneSurrogates(child, Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`);
  }
}
