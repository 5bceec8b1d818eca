import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_JSON_DEPTH, parseJsonBody } from './parse-json-body.ts';

const parse = (text: string) => parseJsonBody(Buffer.from(text));
const jsonValue = fc.jsonValue({ maxDepth: 5 }).filter((value) => !JSON.stringify(value).includes('"__proto__":'));

describe('parseJsonBody', () => {
  it('reads whatever JSON.stringify writes, as JSON.parse does', () => {
    fc.assert(
      fc.property(jsonValue, fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['an empty body', '', /is empty/],
    ['a truncated body', '{"a": ', /not valid JSON/],
    ['NaN', '{"temperature": NaN}', /not valid JSON/],
    ['a comma too many', '{"a": 1,}', /not valid JSON/],
    ['a key twice', '{"model": "a", "b": {"model": 1}, "model": "c"}', /key "model" twice/],
    ['a key twice, once escaped', '{"model": 1, "mod\\u0065l": 2}', /twice/],
    ['a key that gets lost in an object', '{"model": "a", "__proto__": {"temperature": 9}}', /the key "__proto__"/],
    ['the same escaped and further down', '{"a": [{"__prot\\u006f__": 1}]}', /the key "__proto__"/],
    ['a number beyond a double', '{"seed": 1e999}', /1e999, which is too large/],
    ['half a surrogate pair', '{"messages": [{"content": "a\\ud800b"}]}', /messages\[0\]\.content/],
    ['deep nesting', `${'['.repeat(MAX_JSON_DEPTH + 1)}${']'.repeat(MAX_JSON_DEPTH + 1)}`, /64 levels/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not valid UTF-8/);
  });

  it('accepts a whole surrogate pair in escapes, equal keys in different objects, and quotes in strings', () => {
    expect(parse('{"a": "\\ud83d\\ude00", "b": [{"a": "\\\\\\""}, {"a": "{\\"a\\": 1}"}]}')).toEqual({
      a: '😀',
      b: [{ a: '\\"' }, { a: '{"a": 1}' }],
    });
  });

  it('reads over trailing commas only when told to, and never changes a string', () => {
    const tolerant = (text: string) => parseJsonBody(Buffer.from(text), { trailingCommas: true });
    expect(tolerant('{"a": [1, 2,\n], "b": {"c": ",}", "d": "\\",]",} ,\n}')).toEqual({
      a: [1, 2],
      b: { c: ',}', d: '",]' },
    });
    expect(() => tolerant('{"a": 1,,}')).toThrow(/not valid JSON/);
    expect(() => tolerant('{,}')).toThrow(/not valid JSON/);
    fc.assert(
      fc.property(jsonValue, (value) => {
        const text = JSON.stringify(value);
        expect(tolerant(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('reads a 4 MB message in a fraction of a second', () => {
    const body = Buffer.from(
      JSON.stringify({ messages: [{ role: 'user', content: 'a "quoted" word '.repeat(250_000) }] }),
    );
    const readingsMs = [1, 2, 3].map(() => {
      const start = performance.now();
      parseJsonBody(body);
      return performance.now() - start;
    });
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...readingsMs)).toBeLessThan(400);
  });
});
