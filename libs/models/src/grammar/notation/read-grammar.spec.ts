import { describe, expect, it } from 'vitest';
import { byteTokens, END } from '../../../../../test/support/byte-tokens.ts';
import { GrammarConstraints } from '../grammar-constraints.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';

/** Whether an answer may be the text: each of its bytes is allowed where it stands, and then the end is. */
function fits(grammar: string, text: string): boolean {
  using match = new GrammarConstraints(byteTokens, 257).create({ type: 'grammar', grammar }, [END]);
  const isAllowed = (token: number) => ((match.allowedTokens()[token >>> 5] ?? 0) & (1 << (token & 31))) !== 0;
  for (const byte of Buffer.from(text)) {
    if (!isAllowed(byte) || !match.accept(byte)) return false;
  }
  return isAllowed(END);
}

function refusalOf(grammar: string): GrammarRefusedError {
  try {
    new GrammarConstraints(byteTokens, 257).create({ type: 'grammar', grammar }, [END]);
  } catch (error) {
    if (error instanceof GrammarRefusedError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const many = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

describe('grammars in GBNF', () => {
  it.each([
    ['text', 'root ::= "a" "bc"', ['abc'], ['ab', 'a bc', '']],
    ['escapes in text', String.raw`root ::= "\"\\\n\t\r\x41\u00e9\U0001F600\[\]"`, ['"\\\n\t\rAé😀[]'], ['"']],
    ['halves of a character', String.raw`root ::= "\ud83d\ude00"`, ['😀'], ['']],
    ['an empty text', 'root ::= "" | "a"', ['', 'a'], ['aa']],
    ['an empty alternative', 'root ::= | "a"', ['', 'a'], ['aa']],
    ['text over lines, as strings of Python make of \\n', 'root ::= "a\n"', ['a\n'], ['a']],
    ['classes', 'root ::= [a-c_x-]', ['a', 'c', '_', 'x', '-'], ['d', '']],
    ['a class with its dash first', 'root ::= [-a]', ['-', 'a'], ['b']],
    [
      'escapes in classes',
      String.raw`root ::= [\]\\\-\^\x30-\u0039\n"]`,
      [']', '\\', '-', '^', '5', '\n', '"'],
      ['a', 'x'],
    ],
    ['classes of characters beyond ASCII', 'root ::= [ぁ-ゟ😀]+', ['ありがとう😀'], ['a', 'ア']],
    ['named classes', String.raw`root ::= [\d_]+ [^\w]`, ['1_2!'], ['a!', '11']],
    ['what is not of a class', 'root ::= [^"\\\\]', ['a', 'é', '\n'], ['"', '\\', '']],
    ['any character', 'root ::= . "."', ['a.', '\n.', '😀.'], ['.', 'ab']],
    ['groups and alternatives', 'root ::= ("a" | "b") ("c" | ("d" "e"))', ['ac', 'bde'], ['ab', 'ade ']],
    ['repeats', 'root ::= "a"* "b"+ "c"?', ['b', 'aabbc'], ['a', 'bcc']],
    [
      'counted repeats',
      'root ::= "a"{2} "b"{1,} "c"{,2} "d"{1,3}',
      ['aabd', 'aabbbccddd'],
      ['abd', 'aabcccd', 'aabdddd'],
    ],
    ['repeats of repeats', 'root ::= ("a"? "b"*){2,3} "c"', ['c', 'ababac', 'bbbc'], ['aaaac']],
    ['a part that is there no time', 'root ::= "a" "b"{0}', ['a'], ['ab']],
    ['space between a part and its repeat', 'root ::= "a" *', ['', 'aa'], ['b']],
    ['comments', '# a\nroot ::= # b\n  "a" # "b"\n  | "c"', ['a', 'c'], ['b']],
    ['rules over several lines', 'root ::= a\n  b\n  | b\na ::= "a"\nb ::=\n  "b"', ['ab', 'b'], ['a']],
    ['names of all kinds', 'root ::= a-b c_d E1 2x\na-b ::= "a"\nc_d ::= "c"\nE1 ::= "e"\n2x ::= "2"', ['ace2'], ['']],
    ['a group right behind a name', 'root ::= a("b")\na ::= "a"', ['ab'], ['a']],
    ['rules that nothing uses', 'root ::= "a"\nb ::= "b" b', ['a'], ['b']],
    ['lines that end as on Windows', 'root ::= a\r\na ::= "a"\r\n', ['a'], ['']],
  ])('have %s', (_, grammar, whole, others) => {
    for (const text of whole) expect(fits(grammar, text), JSON.stringify(text)).toBe(true);
    for (const text of others) expect(fits(grammar, text), JSON.stringify(text)).toBe(false);
  });

  it.each([
    ['nothing', ' \n', null, /no rules/],
    ['no root', 'a ::= "b"', null, /no rule is called "root"/],
    ['what is no grammar', 'Hello there', 1, /begins neither notation/],
    ['what is no rule behind others', 'root ::= "a"\n  ) "b"', 2, /"\) \\"b\\"" stands where/],
    ['an unknown rule', 'root ::= "a"\n  | b', 2, /rule "b" is not defined/],
    ['two rules of a name', 'root ::= a\na ::= "a"\na ::= "b"', 3, /"a" stands on line 2 already/],
    ['a text without its end', 'root ::= a\na ::= "b', 2, /not closed/],
    ['a class without its end', 'root ::= [a', 1, /not closed/],
    ['a group without its end', 'root ::= (\n"a"\nb ::= "b"', 1, /followed by "b ::= .*not closed/],
    ['an empty class', 'root ::= []', 1, /holds no character/],
    ['a class of nothing', String.raw`root ::= [^\x00-\U0010ffff]`, 1, /holds no character/],
    ['a range backwards', 'root ::= [z-a]', 1, /from "z" to "a" is empty/],
    ['an unknown escape', String.raw`root ::= "\q"`, 1, /no escape.*"q/],
    ['an escape with too few digits', String.raw`root ::= "\u12"`, 1, /followed by "12/],
    ['half of a character', String.raw`root ::= "\ud800"`, 1, /is no character/],
    ['a number that is no character', String.raw`root ::= "\U00110000"`, 1, /is no character/],
    ['bounds that are none', 'root ::= "a"{x}', 1, /no bounds/],
    ['bounds backwards', 'root ::= "a"{3,2}', 1, /at least 3 and at most 2/],
    ['too many repeats', 'root ::= "a"{1000001}', 1, /more than 1000000 times/],
    ['tokens', 'root ::= <think> "a"', 1, /tokens by name/],
    ['tokens by number', 'root ::= !<[1000]>', 1, /tokens by name/],
    ['single quotes', "root ::= 'a'", 1, /double quotes/],
    ['comments of another kind', 'root ::= "a" // b', 1, /comments begin with #/],
    ['regular expressions', 'root ::= /a+/', 1, /no regular expressions/],
    ['lookaheads', 'root ::= "a" (= "b")', 1, /lookaheads/],
    ['tags', 'root ::= TagDispatch(("a", b))', 1, /tags/],
    ['a rule that never ends', 'root ::= "a" | b\nb ::= "b" c\nc ::= b "c"', 2, /rule "b" never ends/],
    ['a rule that is itself', 'root ::= root', 1, /never ends/],
    ['groups in groups in groups', `root ::= ${'('.repeat(65)}"a"${')'.repeat(65)}`, 1, /nested deeper than 64/],
    ['a text that is too long', `root ::= "${'a'.repeat(131_072)}"`, null, /longer than 131072 characters/],
    ['repeats of repeats of repeats', `root ::= "a"${'?'.repeat(131_000)}`, null, /nested too deep/],
    ['more than fits', `root ::= ${'.'.repeat(70_000)}`, null, /more than 65536/],
  ])('are refused with %s', (_, grammar, line, message) => {
    expect(refusalOf(grammar)).toMatchObject({ line, param: '', message: expect.stringMatching(message) });
  });

  it('may have thousands of rules that call each other', () => {
    const chain = `root ::= r0\n${many(2_000, (index) => `r${index} ::= ${index === 1_999 ? '"x"' : `r${index + 1}`}`)}`;
    expect(fits(chain, 'x')).toBe(true);
    const left = `root ::= r0 | "y"\n${many(900, (index) => `r${index} ::= ${index === 899 ? 'root "x"' : `r${index + 1}`}`)}`;
    expect(fits(left, 'yxx')).toBe(true);
    expect(fits(left, 'x')).toBe(false);
    const deep = `root ::= r0\n${many(1_100, (index) => `r${index} ::= ${index === 1_099 ? '' : `r${index + 1}`} "x"`)}`;
    expect(() => fits(deep, 'x')).toThrow('more than 1024 rules open');
  });
});

describe('grammars in Lark’s notation', () => {
  it.each([
    ['text', 'start: "a" \'b\'', ['ab'], ['a']],
    ['escapes in text', String.raw`start: "\"\\\n\x41\u00e9\/"`, ['"\\\nAé/'], ['']],
    ['text in either case', 'start: "aß1é"i', ['aß1é', 'Aß1É'], ['AS1E', 'aẞ1é x']],
    ['ranges', 'start: "a".."f" "0" .. "9"', ['a5', 'f0'], ['g0', 'aa']],
    ['terminals of terminals', 'start: A B\nA: "a" | C~2\nB: (C | "x")+\nC: "c"', ['ac', 'ccxcx'], ['cx', 'a']],
    [
      'groups and what may be left out',
      'start: ("a" | "b") ["c" "d"] "e"?',
      ['a', 'bcd', 'ae', 'bcde'],
      ['bc', 'acd e'],
    ],
    ['repeats', 'start: "a"* "b"+ "c"~2 "d"~1..2 "e"{,2}', ['bccd', 'abbccddee'], ['bcd', 'bccddd']],
    ['alternatives on lines of their own', 'start: "a"\n     | "b"\n\n     | other\nother: "c"', ['a', 'b', 'c'], ['']],
    ['an empty rule', 'start: a "x" a\na:', ['x'], ['']],
    ['comments of both kinds', '// a\nstart: "a" // "b"\n  | "#" # "c"\n', ['a', '#'], ['b']],
    ['what changes a tree only', '?start: a -> first\n  | b\n!a.2: "a"\n_b.-1: "b"\nb: _b', ['a', 'b'], ['ab']],
    ['a rule with its prefix behind an item', 'start: b "x"\n?b: "b"', ['bx'], ['x']],
    ['names with dashes', 'start: a-b->c\na-b: "a"', ['a'], ['b']],
    ['regular expressions', String.raw`start: /[a-z]+\d{2,3}(?:x|y)?/`, ['ab12', 'z123y'], ['ab1', 'AB12']],
    ['flags', 'start: /[b-d]é./is', ['Bé\n', 'dÉx'], ['aéx']],
    ['dots without lines', 'start: /a.b/', ['a.b', 'a😀b', 'a\rb'], ['a\nb']],
    ['escapes of Python', String.raw`start: /\"[^\"\\]*\"\/\-\#\ \_\a/`, ['"a b"/-# _\u0007'], ['"a"']],
    ['brackets that stand for themselves', 'start: /[]a]{2}[^]a]{a}]/', ['a]b{a}]'], ['aaa{a}]']],
    ['classes in classes', String.raw`start: /[\w.+-]+@[[]/`, ['a.b+c-d@['], ['@[']],
    ['named groups', 'start: /(?P<year>[0-9]{4})-(?<month>[01][0-9])/', ['2026-11'], ['26-11']],
    ['a slash in a class', 'start: /[^/]+\\//', ['ab/'], ['a', '//']],
    ['at most so many', 'start: /a{,2}/', ['', 'aa'], ['aaa']],
    [
      'what is ignored',
      'start: A "," B\nA: "a" "a"\nB: /b+/\n%ignore " "\n%ignore /\\n/',
      ['aa,b', 'aa  ,\n b \n'],
      ['a a,b', ' aa,b', 'aa,b b'],
    ],
    [
      'common terminals',
      '%import common.INT\n%import common (WS_INLINE, CNAME)\n%import common.ESCAPED_STRING -> TEXT\nstart: CNAME "=" (INT | TEXT)\n%ignore WS_INLINE',
      ['a_1 = 12', 'b="\\"x\\\\"'],
      ['1=1', 'a="x'],
    ],
    ['rules that begin with themselves', 'start: sum\nsum: sum "+" N | N\nN: "1".."9"', ['1', '1+2+3'], ['1+', '+1']],
    ['options that ask for nothing', '%llguidance {}\nstart: "a"', ['a'], ['b']],
  ])('have %s', (_, grammar, whole, others) => {
    for (const text of whole) expect(fits(grammar, text), JSON.stringify(text)).toBe(true);
    for (const text of others) expect(fits(grammar, text), JSON.stringify(text)).toBe(false);
  });

  it.each([
    ['DIGIT', ['7'], ['77', 'a']],
    ['HEXDIGIT', ['f', 'A', '0'], ['g']],
    ['INT', ['0', '12'], ['-1', '']],
    ['SIGNED_INT', ['1', '-1', '+1'], ['--1']],
    ['DECIMAL', ['1.', '.5', '1.5'], ['1', '.']],
    ['_EXP', ['e5', 'E-5'], ['5']],
    ['FLOAT', ['1e5', '1.5', '.5e-1'], ['1', '-1.5']],
    ['SIGNED_FLOAT', ['-1.5', '1.5'], ['1']],
    ['NUMBER', ['1', '1.5e3'], ['-1']],
    ['SIGNED_NUMBER', ['-1', '+1.5e3', '2'], ['']],
    ['ESCAPED_STRING', ['""', '"a\\"b\\\\"'], ['"', '"\\"', '"a"b"', '"\n"']],
    ['LCASE_LETTER', ['a'], ['A']],
    ['UCASE_LETTER', ['A'], ['a']],
    ['LETTER', ['a', 'Z'], ['1']],
    ['WORD', ['aZ'], ['a1', '']],
    ['CNAME', ['_a1', 'A'], ['1a', '']],
    ['WS_INLINE', [' \t'], ['\n', '']],
    ['WS', [' \n\r\f\t'], ['', 'a']],
    ['CR', ['\r'], ['\n']],
    ['LF', ['\n'], ['\r']],
    ['NEWLINE', ['\n', '\r\n\n'], ['\r', '']],
    ['SH_COMMENT', ['#', '# a'], ['#\n']],
    ['CPP_COMMENT', ['// a'], ['/ a', '//\n']],
    ['C_COMMENT', ['/**/', '/* a\n**b ***/'], ['/*/', '/* */ */']],
    ['SQL_COMMENT', ['-- a'], ['- a']],
  ])('import %s', (name, whole, others) => {
    const grammar = `start: ${name}\n%import common.${name}`;
    for (const text of whole) expect(fits(grammar, text), JSON.stringify(text)).toBe(true);
    for (const text of others) expect(fits(grammar, text), JSON.stringify(text)).toBe(false);
  });

  it.each([
    ['no start', 'a: "b"', null, /no rule is called "start"/],
    ['what is no rule', 'start: "a"\n"b"?)', 2, /stands where a line begins a rule/],
    ['an unknown rule', 'start: "a"\n b', 2, /rule "b" is not defined/],
    ['an unknown terminal', 'start: "a"\n B', 2, /terminal "B" is not defined/],
    ['two rules of a name', 'start: a\na: "a"\na: "b"', 3, /"a" stands on line 2 already/],
    ['two terminals of a name', 'start: A\nA: "a"\n%import common.INT -> A', 3, /"A" stands on line 2 already/],
    ['a name in both cases', 'start: aB\naB: "a"', 2, /neither a rule.*nor a terminal/],
    ['terminals that contain themselves', 'start: A\nA: "a" B?\nB: "b" A', 2, /terminal "A" contains itself/],
    ['terminals of rules', 'start: A\nA: b\nb: "b"', 2, /refers to the rule "b"/],
    ['too many repeats in a terminal', 'start: A\nA: "a"~300', 2, /more than 256 times/],
    ['a text without its end', 'start: "a', 1, /not closed/],
    ['a regular expression without its end', 'start: /a', 1, /not closed/],
    ['a group without its end', 'start: ("a"\nb: "b"', 1, /not closed/],
    ['an empty range', 'start: "b".."a"', 1, /no range from "b" to "a"/],
    ['a range of texts', 'start: "aa".."b"', 1, /no range/],
    ['lookaheads', 'start: /a(?!b)/', 1, /looks ahead/],
    ['lookbehinds', 'start: /(?<!a)b/', 1, /looks back/],
    ['anchors', 'start: /^a$/', 1, /anchor \^/],
    ['borders', String.raw`start: /\ba/`, 1, /word border/],
    ['as little as possible', 'start: /".*?"/', 1, /as little as it can/],
    ['never giving back', 'start: /a++b/', 1, /never gives back/],
    ['back references', String.raw`start: /(a)\1/`, 1, /"\\1" is not supported/],
    ['flags inside', 'start: /(?s:.)/', 1, /flags inside/],
    ['other flags', 'start: /a/m', 1, /flag m/],
    ['named classes', 'start: /[[:alpha:]]/', 1, /named class/],
    ['malformed regular expressions', 'start: /(/', 1, /Invalid regular expression/],
    ['regular expressions of nothing', String.raw`start: /[^\s\S]/`, 1, /no text|matches no/],
    ['terminals of too many states', 'start: A\nA: /[ab]*a[ab]{12}/', 1, /more than 2048 states/],
    [
      'terminals that double each other',
      `start: A0\n${many(120, (index) => `A${index}: A${index + 1} A${index + 1}`)}\nA120: "x"`,
      null,
      /nested too deep/,
    ],
    ['templates', 'start: list{a}\nlist{x}: x*\na: "a"', 1, /template/],
    ['definitions of templates', 'start: "a"\nlist{x}: x*', 2, /is a template/],
    ['options of rules', 'start: a\na[lazy]: /b*/', 2, /has options, \[lazy\]/],
    ['tokens', 'start: <|python_tag|> "a"', 1, /tokens by name/],
    ['other grammars', 'start: @other', 1, /other grammars/],
    ['JSON schemas', 'start: %json { "type": "object" }', 1, /JSON schemas inside/],
    ['intersections', 'start: A\nA: /a/ & /b/', 2, /not intersected/],
    ['negations', 'start: A\nA: ~/a/', 2, /not intersected or negated/],
    ['other imports', 'start: "a"\n%import python.NAME', 2, /can not be imported/],
    ['unknown common terminals', 'start: "a"\n%import common.NAME', 2, /"common" has no terminal "NAME"/],
    ['declarations', 'start: "a"\n%declare INDENT', 2, /%declare is not supported/],
    ['options', '%llguidance {"no_forcing": true}\nstart: "a"', 1, /%llguidance is not supported/],
    ['a rule that never ends', 'start: a\na: "a" a', 1, /never ends/],
  ])('are refused with %s', (_, grammar, line, message) => {
    expect(refusalOf(grammar)).toMatchObject({ line, message: expect.stringMatching(message) });
  });
});
