import type { OutputFormat } from '../../output-formats/output-format.ts';
import type { GrammarParts } from '../grammar-parts.ts';
import { type Expression, optional, sequence, text } from '../grammar-rules.ts';
import { charactersOf } from '../regular/character-set.ts';
import type { Language } from '../regular/regular-language.ts';

const LINE_BREAK = optional(text('\n'));

/** Text in which none of the marks stands. */
export function textWithout(parts: GrammarParts, marks: readonly string[]): Expression {
  return plain(parts, withoutAll(parts, marks));
}

/**
 * Content in which an output parser finds no call and no reasoning: none of the marks stands in it, and it begins with
 * nothing that would be read as one.
 * @param marks that may begin calls, beside the format's own openings
 */
export function contentText(
  parts: GrammarParts,
  format: OutputFormat,
  marks: readonly string[],
  reasons: boolean,
): Expression {
  const { languages } = parts;
  const { openings, surroundings, dropped = [], bareStarts = '', reasoning } = format;
  const skipped = languages.star(
    languages.either(
      languages.set(charactersOf(' \n\r\t')),
      ...[...surroundings, ...dropped, ...(reasoning?.empty ?? [])].map((mark) => languages.text(mark)),
    ),
  );
  const starts = [
    ...(bareStarts === '' ? [] : [languages.set(charactersOf(bareStarts))]),
    ...(reasons && reasoning !== undefined
      ? [reasoning.open, ...(reasoning.alsoOpenedBy ?? [])].map((mark) => languages.text(mark))
      : []),
  ];
  const misread = languages.concat(skipped, languages.either(...starts), languages.anything);
  return plain(parts, languages.both(withoutAll(parts, [...openings, ...marks]), languages.not(misread)));
}

/** The block of reasoning that may come first: open already, or opened by the model. */
export function reasoningBlock(parts: GrammarParts, format: OutputFormat, start: 'marked' | 'opened'): Expression {
  const { reasoning } = format;
  if (reasoning === undefined) return text('');
  const { open, close, endedBy = [] } = reasoning;
  const rest = sequence(textWithout(parts, [close, ...endedBy]), text(close), LINE_BREAK, LINE_BREAK);
  return start === 'opened' ? rest : optional(sequence(LINE_BREAK, text(open), rest));
}

function withoutAll(parts: GrammarParts, marks: readonly string[]): Language {
  return parts.languages.both(...marks.filter((mark) => mark !== '').map((mark) => parts.without(mark)));
}

function plain(parts: GrammarParts, language: Language): Expression {
  return parts.plain(language, [], 'no text');
}
