import type { z } from 'zod';
import { ConfigurationError } from './configuration-error.ts';

/**
 * Reads one process's settings from the environment and freezes them. Empty variables count as unset, as in compose files.
 * @throws ConfigurationError naming every variable that is wrong, its value and what it may be
 */
export function readSettings<Schema extends z.ZodObject>(
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<z.infer<Schema>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name];
    if (value !== undefined && value !== '') given[name] = value;
  }
  const result = schema.safeParse(given);
  if (result.success) return Object.freeze(result.data);
  throw new ConfigurationError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const value = given[name];
      const shown =
        value === undefined ? 'is not set' : /KEY|TOKEN|URL/.test(name) ? 'has an unusable value' : `is "${value}"`;
      return `${name} ${shown}: ${issue.message}`;
    }),
  );
}
