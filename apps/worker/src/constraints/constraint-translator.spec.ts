import { afterEach, describe, expect, it } from 'vitest';
import { constraintGrammar, flatGrammar, type HeldConstraint } from '#models/grammar';
import { ConstraintTranslator } from './constraint-translator.ts';

const NEVER = new AbortController().signal;
const small = (name: string): HeldConstraint => ({ type: 'json_schema', strict: true, schema: { const: name } });
/** About a quarter of a second's work. */
const costly = (name: string): HeldConstraint => ({
  type: 'json_schema',
  strict: true,
  schema: {
    type: 'object',
    properties: Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        `${name}${i}`,
        { type: 'integer', minimum: -i - 1, maximum: 987_654 + i },
      ]),
    ),
  },
});

const open: ConstraintTranslator[] = [];
function translator(limitMs?: number): ConstraintTranslator {
  const made = new ConstraintTranslator(limitMs);
  open.push(made);
  return made;
}
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

describe('ConstraintTranslator', () => {
  it('makes the grammar that the engine would make, once', async () => {
    const made = translator();
    expect(made.kept(small('a'))).toBeNull();
    const grammar = await made.translate(small('a'), 'tenant', NEVER);
    expect(grammar).toEqual(flatGrammar(constraintGrammar(small('a'))));
    expect(made.kept(small('a'))).toBe(grammar);
    expect(await made.translate(small('a'), 'another', NEVER)).toBe(grammar);
  });

  it('takes tenants in turn, whoever has asked for more', async () => {
    const made = translator();
    const ended: string[] = [];
    const asked = Array.from({ length: 6 }, (_, i) => i).map((i) =>
      made.translate(costly(`flood${i}`), 'flood', NEVER).then(() => ended.push(`flood ${i}`)),
    );
    asked.push(made.translate(small('light'), 'light', NEVER).then(() => ended.push('light')));
    await Promise.all(asked);
    // Behind the one in hand and the next.
    expect(ended.indexOf('light')).toBeLessThanOrEqual(2);
    expect(ended).toHaveLength(7);
  });

  it('leaves out what nobody waits for any more', async () => {
    const made = translator();
    const gone = new AbortController();
    const first = made.translate(costly('first'), 'a', NEVER);
    const second = made.translate(small('second'), 'a', gone.signal);
    gone.abort(new Error('gone'));
    await first;
    await expect(second).rejects.toThrow('gone');
    expect(made.kept(small('second'))).toBeNull();
  });

  it('says what is wrong with a constraint, and gives up one that takes too long; others go on', async () => {
    const made = translator();
    const refused: HeldConstraint = { type: 'json_schema', strict: true, schema: { type: 'string', pattern: '(' } };
    await expect(made.translate(refused, 'a', NEVER)).rejects.toThrow(/pattern/);
    const impatient = translator(1);
    await expect(impatient.translate(costly('late'), 'a', NEVER)).rejects.toThrow('it takes longer than 1 ms');
    await expect(impatient.translate(costly('later'), 'a', NEVER)).rejects.toThrow('it takes longer than 1 ms');
    expect(await made.translate(small('b'), 'a', NEVER)).toBeInstanceOf(Int32Array);
  });
});
