import { isStringSchema } from '../../output-formats/tool-set.ts';
import type { GrammarParts } from '../grammar-parts.ts';
import { choice, type Expression, sequence, text } from '../grammar-rules.ts';
import type { ObjectLayout } from '../object-schema.ts';
import { automatonOfTexts } from '../regular/automaton.ts';
import { charactersOf, complement, intersection } from '../regular/character-set.ts';
import { parsePattern } from '../regular/parse-pattern.ts';
import type { Language } from '../regular/regular-language.ts';
import { checkKeywords, refusal } from '../schema-checks.ts';
import type { SchemaObject } from '../schema-keywords.ts';
import { valuesOf } from '../schema-reader.ts';
import type { SchemaPath } from '../schema-refused-error.ts';
import { stringTexts, WRITABLE } from '../string-schema.ts';
import type { ArgumentTags } from './call-style.ts';
import { looseText } from './loose-text.ts';

const NAME = '^[A-Za-z0-9_$.-]{1,128}$';
const COMBINING = ['$ref', 'allOf', 'anyOf', 'oneOf', 'nullable'];

/**
 * Arguments as tagged texts. What can only be a string is written as it is, all else as JSON: by the rule by which
 * `readTaggedCall` reads them.
 */
export function taggedLayout(
  parts: GrammarParts,
  tags: ArgumentTags,
  value: (schema: unknown, path: SchemaPath) => Expression,
): ObjectLayout {
  return {
    open: '',
    close: '',
    separator: text(''),
    member(name, schema, path) {
      if (!new RegExp(NAME, 'u').test(name)) throw unwritable(path);
      const isRaw = isStringSchema(schema);
      const inner = isRaw ? rawText(parts, tags, schema as SchemaObject, path) : value(schema, path);
      return taggedArgument(parts, tags, text(name), isRaw, inner);
    },
    otherMember(names, schema, path) {
      const { languages } = parts;
      const name = parts.plain(languages.both(names, parsePattern(languages, NAME)), path, 'no name can be written.');
      return taggedArgument(parts, tags, name, false, value(schema, path));
    },
  };
}

/** @param isRaw whether it stands as it is; else as JSON */
export function taggedArgument(
  parts: GrammarParts,
  tags: ArgumentTags,
  name: Expression,
  isRaw: boolean,
  inner: Expression,
): Expression {
  const line = text(tags.lines ? '\n' : '');
  const nameEnds = isRaw ? [tags.rawNameEnd] : [tags.jsonNameEnd].flat();
  const nameEnd = choice(...nameEnds.map((each) => looseText(parts, each)));
  return sequence(text(tags.open), name, nameEnd, line, inner, line, closing(tags, name), looseText(parts, '␤'));
}

/** Arguments of any names and texts. */
export function freeTaggedArguments(parts: GrammarParts, tags: ArgumentTags): Expression {
  const { languages, rules } = parts;
  const name = parts.plain(parsePattern(languages, NAME), [], 'no name');
  const anyText = parts.plain(readable(parts, tags), [], 'no text');
  const argument = sequence(
    text(tags.open),
    name,
    looseText(parts, tags.rawNameEnd),
    anyText,
    closing(tags, name),
    looseText(parts, '␤'),
  );
  return rules.list(argument, text(''), 0, null);
}

/** A string that is written as it is: without its end mark, and without line breaks that would be taken for the tags'. */
function rawText(parts: GrammarParts, tags: ArgumentTags, schema: SchemaObject, path: SchemaPath): Expression {
  const { languages, rules } = parts;
  checkKeywords(schema, path);
  const combining = COMBINING.find((keyword) => schema[keyword] !== undefined);
  if (combining !== undefined) {
    const message = `"${combining}" beside a string can not be enforced in the way in which this model writes calls.`;
    throw refusal([...path, combining], message, 'unsupported_parameter');
  }
  const values = valuesOf(schema);
  if (values !== null) {
    const texts = values.filter((each) => typeof each === 'string' && isRaw(tags, each)) as string[];
    if (texts.length === 0) throw refusal(path, 'none of its values can be written.', 'unsupported_parameter');
    return rules.addText(automatonOfTexts(texts));
  }
  const { language, isShaped, least, most } = stringTexts(languages, schema, path);
  if (!isShaped && (least > 0 || most !== null)) {
    // Lengths are counted; so that no end mark can begin, its first character is left out.
    const left = complement(charactersOf(`\r${tags.close[0]}${tags.lines ? '' : '\n'}`));
    const character = languages.set(intersection(WRITABLE, left));
    const [one, any] = [character, languages.star(character)].map((each) => parts.plain(each, path, 'no text'));
    return parts.counted(one, any, least, most);
  }
  return parts.plain(languages.both(language, rawLanguage(parts, tags)), path, 'no text can be written.', most);
}

/** The texts that are read as they are written. */
export function rawLanguage(parts: GrammarParts, tags: ArgumentTags): Language {
  const { languages } = parts;
  const noReturn = languages.star(languages.set(complement(charactersOf('\r'))));
  const borders = tags.lines ? [] : [languages.not(parsePattern(languages, '^\\n'))];
  return languages.both(noReturn, readable(parts, tags), ...borders);
}

/** The mark behind an argument's text. */
function closing(tags: ArgumentTags, name: Expression): Expression {
  return tags.closesByName ? sequence(text(`${tags.close}</`), name, text('>')) : text(tags.close);
}

/** Text in which no end of an argument stands, and which is not read as a quoted one. */
function readable(parts: GrammarParts, { close, alsoEndedBy = [], quoteOpen }: ArgumentTags): Language {
  const { languages } = parts;
  const unended = languages.both(...[close, ...alsoEndedBy].map((mark) => parts.without(mark)));
  if (quoteOpen === undefined) return unended;
  return languages.both(unended, languages.not(languages.concat(languages.text(quoteOpen), languages.anything)));
}

function isRaw(tags: ArgumentTags, value: string): boolean {
  const bordered = !tags.lines && value.startsWith('\n');
  const isQuoted = tags.quoteOpen !== undefined && value.startsWith(tags.quoteOpen);
  const isEnded = [tags.close, ...(tags.alsoEndedBy ?? [])].some((mark) => value.includes(mark));
  return !bordered && !isQuoted && !isEnded && !value.includes('\r');
}

function unwritable(path: SchemaPath): Error {
  return refusal(path, "the model's way of writing calls has no argument of this name.", 'unsupported_parameter');
}
