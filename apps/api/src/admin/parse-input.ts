import { z } from 'zod';
import { MillraceError } from '#contracts';
import { describeProblem } from '../body/describe-problem.ts';

/**
 * @param input of a body, a query or a path; no body is an empty one
 * @throws MillraceError invalid_request naming every field that is wrong, its value and the remedy
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const given = input === undefined ? {} : input;
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => problemOf(schema, issue, given));
  const [first] = problems;
  throw new MillraceError('invalid_request', problems.map(({ message }) => message).join(' '), {
    ...(first?.param && { param: first.param }),
  });
}

function problemOf(
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  input: unknown,
): Pick<MillraceError, 'message' | 'param'> {
  const ofWhole = issue.path.length === 0 && issue.code !== 'unrecognized_keys';
  if (ofWhole) return { message: `The request is not valid: ${issue.message}.`, param: null };
  return describeProblem(schema, new z.ZodError([issue]), input);
}
