import type { Expression, GrammarRule, GrammarRules, Spell } from './grammar-rules.ts';
import { contains } from './regular/character-set.ts';
import type { ByteRange } from './regular/utf8-ranges.ts';
import { JSON_SPELLING, spellCharacters } from './spelling.ts';

const LAST_CONTROL = 0x1f;
const shortEscapes = spellCharacters(JSON_SPELLING);

/** Control characters without a short escape. */
const CONTROLS = Array.from({ length: LAST_CONTROL + 1 }, (_, codePoint) => codePoint).filter(
  (codePoint) => shortEscapes([codePoint, codePoint]).length === 0,
);

/** Each character in one way, as `JSON.stringify` writes it. */
const escapeCharacters: Spell = (set) => [
  ...shortEscapes(set),
  ...CONTROLS.filter((codePoint) => contains(set, codePoint)).map((codePoint) =>
    Array.from(Buffer.from(escaped(String.fromCharCode(codePoint))), (byte): ByteRange => [byte, byte]),
  ),
];

/** The texts of a grammar as they stand in a JSON string, its quotes left out. */
export function escapedTexts(rules: GrammarRules, expression: Expression): Expression {
  const made = new Map<GrammarRule, GrammarRule>();
  /** Rules refer to each other in chains that may be thousands long. */
  const open: GrammarRule[] = [];
  const ruleOf = (rule: GrammarRule): GrammarRule => {
    const known = made.get(rule);
    if (known !== undefined) return known;
    const reserved = rules.reserve();
    made.set(rule, reserved);
    open.push(rule);
    return reserved;
  };
  const written = (part: Expression): Expression => {
    switch (part.kind) {
      case 'text':
        return { ...part, text: escaped(part.text) };
      case 'automaton':
        return { ...part, spell: escapeCharacters };
      case 'sequence':
      case 'choice':
        return { ...part, parts: part.parts.map(written) };
      case 'repeat':
      case 'loop':
      case 'shallow':
        return { ...part, part: written(part.part) };
      case 'rule':
        return { kind: 'rule', rule: ruleOf(part.rule) };
    }
  };
  const whole = written(expression);
  for (let rule = open.pop(); rule !== undefined; rule = open.pop()) {
    if (rule.expression !== null) rules.define(ruleOf(rule), written(rule.expression));
  }
  return whole;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
