import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { OutputConstraint } from '#contracts';
import { openModelFolder } from '#models';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import { CompileChecker } from './compile-checker.ts';

const folder = await openModelFolder(
  fileURLToPath(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url)),
);
const model = { cardHash: 'tiny', card: folder.card({ model: 'tiny', contextLength: 512 }) } as CataloguedModel;
const schemaOf = (name: string, type = 'integer'): OutputConstraint => ({
  type: 'json_schema',
  strict: true,
  schema: { type: 'object', properties: { [name]: { type } }, required: [name], additionalProperties: false },
});

const opened: CompileChecker[] = [];
afterEach(() => Promise.all(opened.splice(0).map((checker) => checker.close())));

/** What was found out, in the order in which it was. */
function asked(mostWaiting?: number) {
  const checker = new CompileChecker({ limitMs: 5_000, ...(mostWaiting && { mostWaiting }) });
  opened.push(checker);
  const found: string[] = [];
  const ask = (name: string, { ended = new AbortController().signal, schema = schemaOf(name) } = {}) =>
    checker.check(model, schema, name.charAt(0), ended).then(
      () => void found.push(name),
      (error: { code: string }) => void found.push(`${name} ${error.code}`),
    );
  return { ask, found };
}

describe('CompileChecker', () => {
  it('checks schemas of tenants in turn, whoever has sent more', async () => {
    const { ask, found } = asked();
    await Promise.all([...['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => ask(name)), ask('b1'), ask('c1')]);
    expect(found).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4', 'a5']);
  });

  it('answers at once what is known, and lets nobody wait for the same schema in the line of another', async () => {
    const { ask, found } = asked();
    const [first, last] = [schemaOf('first'), schemaOf('last')];
    await Promise.all([
      ...[ask('a1', { schema: first }), ask('a2'), ask('a3'), ask('a4', { schema: last })],
      ...[ask('a5', { schema: last }), ask('b1', { schema: last })],
    ]);
    expect(found).toEqual(['a1', 'a2', 'b1', 'a3', 'a4', 'a5']);
    await Promise.all([ask('c1'), ask('c2', { schema: last })]);
    expect(found.slice(-2)).toEqual(['c2', 'c1']);
  });

  it('refuses the newest of the tenant that has most, where too many wait', async () => {
    const { ask, found } = asked(2);
    // The first one is being checked when the others come.
    await Promise.all([ask('a1'), ask('a2'), ask('a3'), ask('a4'), ask('b1')]);
    expect(found.slice(0, 2)).toEqual(['a4 overloaded', 'a3 overloaded']);
    expect(found.slice(2)).toEqual(['a1', 'a2', 'b1']);
  });

  it('does not begin what nobody waits for, and remembers only what is wrong with a schema', async () => {
    const { ask, found } = asked();
    const schema = schemaOf('x', 'nonsense');
    await Promise.all([ask('a1'), ask('a2', { ended: AbortSignal.abort() }), ask('b1', { schema })]);
    expect(found).toEqual(['a1', 'a2 overloaded', 'b1 invalid_request']);
    await ask('a2');
    expect(found.at(-1)).toBe('a2');
  });
});
