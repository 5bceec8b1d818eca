import type { z } from 'zod';
import { ConfigurationError } from './configuration-error.ts';
import { givenValues } from './given-values.ts';
import { problemText } from './problem-text.ts';
import { readTunedFile } from './tuned-file.ts';

/** Values of these never appear in a message; `…_TOKENS` are counts. */
const SECRET_NAME = /KEY|TOKEN(?!S$)|SECRET|URL|PASSWORD|CERT|_CA$/;

/**
 * Reads one process's settings from the environment and freezes them. `<NAME>_FILE` names a file that holds the value of
 * `<NAME>`. Empty variables count as unset, as in compose files. What the environment does not say is taken from
 * MILLRACE_TUNED_FILE, for settings that are measured.
 * @throws ConfigurationError naming every variable that is wrong, its value and what it may be
 */
export function readSettings<Schema extends z.ZodObject>(
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<z.infer<Schema>> {
  const names = Object.keys(schema.shape);
  const given = givenValues(names, environment);
  const tuned = names.includes('MILLRACE_TUNED_FILE') ? readTunedFile(environment) : null;
  const values: Readonly<Record<string, string>> = { ...(tuned?.unused === null && tuned.values), ...given.values };
  const problems = [...given.problems, ...(tuned?.problems ?? [])];
  const result = schema.safeParse(values);
  if (result.success && problems.length === 0) return Object.freeze(result.data);
  const issues = result.success ? [] : result.error.issues;
  const unread = new Set(problems.map((problem) => problem.split(/_FILE| /, 1)[0]));
  throw new ConfigurationError([
    ...problems,
    ...issues
      .map((issue) => ({ name: String(issue.path[0]), message: problemText(issue) }))
      // What could not be read is named already.
      .filter(({ name }) => !unread.has(name))
      .map(({ name, message }) => `${name} ${shownValue(name, values[name])}: ${message}`),
  ]);
}

function shownValue(name: string, value: string | undefined): string {
  if (value === undefined) return 'is not set';
  return SECRET_NAME.test(name) ? 'has an unusable value' : `is "${value}"`;
}
