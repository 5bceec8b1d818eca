import { expect, it } from 'vitest';
import { DIALECTS } from '../dialects/dialects.ts';
import { QUESTION } from './warm-up-requests.ts';

it.each(DIALECTS)('the question before the first request is one that $name takes', (dialect) => {
  expect(dialect.parse(QUESTION).request.model).toBe(QUESTION.model);
});
