import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMATS } from './formats.ts';
import { NumberLanguages } from './number-language.ts';
import { parsePattern } from './parse-pattern.ts';
import { type Language, Languages } from './regular-language.ts';

const languages = new Languages();

function takes(language: Language, text: string): boolean {
  return Array.from(text).reduce((left, character) => languages.derive(left, character.codePointAt(0)!), language)
    .nullable;
}

const PATTERNS = [
  'a|b', '^a|b$', '^(a|bc)*$', '[a-c]{2,3}', '^[^ab]+$', '^(?!ab)[a-c]*$', '^(?=.*c)[a-c]{1,4}$', 'a.c', '^a?b+?c*$',
  '\\d', '^\\w+\\s\\S$', '[\\d\\-c]', '^$', '^(?:a|(?<n>b)){2}$', '\\u0061', '^[\\]a]$', '^.$', '^\\p{L}+$', '^[\\P{L}c]$', '\\p{Emoji_Presentation}', '^[^\\p{Lu}\\d]$',
  '(^a$)|(^b$)', '(?:^|c)a', 'a(?:b|$)', '^a?(?:^b|c)', '^(?:a(?!b)|b)*c$'.replace('*', '{0,3}'), '^(?:(?=ab)a|b){2}', 'a*(?:^b|1$)', '(?:a|^)(?:$|b)',
  '^(?:(a+1)|(?!.*1)(?=a|b)(a+)?(b(?=c)c?)?)$', '^(?!^[-.]*$)[-b]?a*\\.?a*$', 'a(?=^b)|c', '(?!^a)b', '^a*(?!^b)c', '(?:^a)?b$', '^^a$$', '\\ba\\b', '\\Ba', 'a\\B', '^\\b', '\\b$', '(?:\\b|c)a(?=\\b)', '^\\w+\\b.\\b\\w', '[\\b]|a', '(?!b)a$', '^\\.$', '^a{2}$', '^[a-]+$',
]; // biome-ignore format: a table

describe('parsePattern', () => {
  it.each(PATTERNS)('finds %s in the same texts as ECMAScript', (pattern) => {
    const language = parsePattern(languages, pattern);
    const expected = new RegExp(pattern, 'u');
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '-', ' ', '\n', '.', '😀', ']'), maxLength: 6 });
    fc.assert(
      fc.property(text, (value) => takes(language, value) === expected.test(value)),
      { numRuns: 300 },
    );
  });

  it('takes no longer the more alternatives lead to the same rest', () => {
    expect(parsePattern(languages, '(?:a|^b|c$){0,16}'.repeat(20))).not.toBe(languages.nothing);
  });

  it.each<[string, string[], string[]]>([
    ['date', ['2024-02-29', '2000-02-29', '1900-02-28'], ['2023-02-29', '1900-02-29', '2024-04-31']],
    ['duration', ['P1Y2M3DT4H5M6S', 'PT1H30M', 'P3W'], ['P', 'PT', 'P1Y3D', 'PT1H5S']],
    ['uuid', ['550E8400-E29B-41D4-A716-446655440000'], ['550E8400-E29B-41D4-A716-44665544000g']],
    ['email', ['first.middle.last@mail.example.co.uk', "o'neil+tag@example.museum"], ['a..b@c.de', 'a@b', '@b.cd']],
    ['hostname', ['internationalization-service.example.com', 'localhost'], ['-a.b', 'xn--a.b', 'a..b']],
    [
      'ipv6',
      [
        '::',
        '::1',
        'fe80::1',
        '1::',
        '2001:DB8::8a2e:370:7334',
        '1:2:3:4:5:6:7::',
        '::ffff:192.168.0.1',
        '1:2:3:4:5:6:7:8',
      ],
      ['1:2', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', '::1.2.3'],
    ],
    [
      'uri',
      ['https://example.com:8080/search?q=1&b=%20#top', 'mailto:a@b.com', 'urn:isbn:0451450523', 'https://a.b?x'],
      ['http://x:99999', 'http://a b', '//x', 'x', 'http://a.b/%2'],
    ],
    ['iri', ['https://example.com/été?ø#ß'], ['https://exa mple.com']],
    ['uri-reference', ['../a/b?c#d', '/a', '?q=1', '#x', '', 'https://a.b/c'], ['a b', '%']],
  ])('takes texts of format %s, and none that are not', (format, texts, others) => {
    const language = parsePattern(languages, FORMATS[format]!);
    expect(texts.filter((text) => !takes(language, text))).toEqual([]);
    expect(others.filter((text) => takes(language, text))).toEqual([]);
  });

  it.each(Object.entries(FORMATS))('reads the pattern of format %s', (_, pattern) => {
    expect(parsePattern(languages, pattern)).not.toBe(languages.nothing);
  });
});

describe('NumberLanguages', () => {
  const numbers = new NumberLanguages(languages);

  it('takes exactly the whole numbers between two bounds', () => {
    const bounds = fc.tuple(fc.integer({ min: -3_000, max: 3_000 }), fc.integer({ min: -3_000, max: 3_000 }));
    fc.assert(
      fc.property(bounds, fc.integer({ min: -3_500, max: 3_500 }), ([least, most], value) => {
        const language = numbers.integers(BigInt(least), BigInt(most));
        expect(takes(language, String(value))).toBe(least <= value && value <= most);
      }),
    );
  });

  it('takes exactly the multiples of a number, by their digits', () => {
    const divisor = fc.tuple(fc.integer({ min: 1, max: 130 }), fc.constantFrom(1, 10, 100, 1_000));
    const digits = fc.tuple(fc.integer({ min: -20_000, max: 20_000 }), fc.constantFrom(1, 10, 100, 1_000));
    fc.assert(
      fc.property(divisor, digits, fc.boolean(), ([scaled, unit], [value, places], near) => {
        const language = numbers.multiplesOf(scaled / unit)!;
        const thousandths = near ? Math.round(value / scaled) * scaled * (1_000 / unit) : value * (1_000 / places);
        const text = String(thousandths / 1_000);
        const isMultiple = thousandths % (scaled * (1_000 / unit)) === 0;
        expect([text, takes(language, text)]).toEqual([text, isMultiple]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes exactly the decimal numbers between two bounds', () => {
    const decimal = fc.integer({ min: -4_000, max: 4_000 }).map((thousandths) => thousandths / 1_000);
    const bound = fc.record({ value: decimal, exclusive: fc.boolean() });
    fc.assert(
      fc.property(bound, bound, decimal, (least, most, value) => {
        const language = numbers.between(least, most)!;
        const above = least.exclusive ? value > least.value : value >= least.value;
        const below = most.exclusive ? value < most.value : value <= most.value;
        expect(takes(language, String(value))).toBe(above && below);
      }),
      { numRuns: 1_000 },
    );
  });
});
