import { argumentOf, countArgument, textArgument } from './jinja-arguments.ts';
import { formatted, rounded } from './jinja-format.ts';
import { LIST_FILTERS } from './jinja-list-filters.ts';
import { escapeHtml } from './jinja-markup.ts';
import { methodOf, replaced, stripped } from './jinja-methods.ts';
import { jsonText, textOf } from './jinja-text.ts';
import {
  isDict,
  isTrue,
  type JinjaArguments,
  JinjaFloat,
  JinjaTuple,
  type JinjaValue,
  jinjaValueOf,
  lengthOf,
  numberOf,
} from './jinja-value.ts';
import { dataOfJson } from './json-data.ts';

export type JinjaFilter = (value: JinjaValue, given: JinjaArguments) => JinjaValue;

const fromJson: JinjaFilter = (value) => jinjaValueOf(dataOfJson(textOf(value)));
const length: JinjaFilter = (value) => lengthOf(value);
const orDefault: JinjaFilter = (value, given) => {
  const missing = value === undefined || (argumentOf(given, 1, 'boolean') === true && !isTrue(value));
  return missing ? argumentOf(given, 0, 'default_value', '') : value;
};
/** Filters that are methods of texts, and take any value as its text. */
const asMethod =
  (name: string): JinjaFilter =>
  (value, given) =>
    methodOf(textOf(value), name)?.call(given);

/** Jinja's filters, with Hugging Face's `tojson`. https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters */
export const JINJA_FILTERS: ReadonlyMap<string, JinjaFilter> = new Map<string, JinjaFilter>([
  ...LIST_FILTERS,
  ['capitalize', asMethod('capitalize')],
  ['lower', asMethod('lower')],
  ['upper', asMethod('upper')],
  // Jinja's title begins words after any white space or dash, unlike Python's.
  [
    'title',
    (value) =>
      textOf(value).replace(/[^-\s({[<]+/gu, (word) => {
        const [first = '', ...rest] = word;
        return first.toUpperCase() + rest.join('').toLowerCase();
      }),
  ],
  ['trim', (value, given) => stripped(textOf(value), argumentOf(given, 0, 'chars', null), true, true)],
  ['string', (value) => textOf(value)],
  ['safe', (value) => value],
  ['e', escapeHtml],
  ['escape', escapeHtml],
  ['tojson', (value, given) => jsonText(value, given)],
  // Not Jinja's: templates written for llama.cpp and for vLLM read calls' arguments with these where they are texts.
  ['from_json', fromJson],
  ['fromjson', fromJson],
  ['default', orDefault],
  ['d', orDefault],
  ['length', length],
  ['count', length],
  [
    'replace',
    (value, given) =>
      replaced(
        textOf(value),
        textArgument(given, 0, 'old'),
        textArgument(given, 1, 'new'),
        countArgument(given, 2, 'count', -1),
      ),
  ],
  ['indent', (value, given) => indented(textOf(value), given)],
  ['format', (value, given) => formatted(textOf(value), given.positional)],
  ['wordcount', (value) => (textOf(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length],
  ['truncate', (value, given) => truncated(textOf(value), given)],
  [
    'urlencode',
    (value) =>
      encodeURIComponent(textOf(value))
        .replace(/[!'()*]/g, percent)
        .replaceAll('%2F', '/'),
  ],
  ['center', (value, given) => centered(textOf(value), countArgument(given, 0, 'width', 80))],
  ['abs', (value) => signless(value)],
  ['int', (value, given) => wholeNumber(value, given)],
  [
    'float',
    (value, given) => {
      const number = typeof value === 'string' ? parsedNumber(value) : numberOf(value);
      return number === null ? argumentOf(given, 0, 'default', new JinjaFloat(0)) : new JinjaFloat(number);
    },
  ],
  ['round', (value, given) => rounded(numberOf(value) ?? 0, countArgument(given, 0, 'precision', 0))],
  [
    'items',
    (value) => {
      if (value === undefined) return [];
      if (!isDict(value)) throw new Error('the filter "items" needs a mapping');
      return [...value].map((entry) => new JinjaTuple(entry));
    },
  ],
]);

function signless(value: JinjaValue): JinjaValue {
  const number = numberOf(value);
  if (number === null) throw new Error('the filter "abs" needs a number');
  return value instanceof JinjaFloat ? new JinjaFloat(Math.abs(number)) : Math.abs(number);
}

function wholeNumber(value: JinjaValue, given: JinjaArguments): JinjaValue {
  const base = countArgument(given, 1, 'base', 10);
  if (typeof value === 'string' && base !== 10) {
    const parsed = Number.parseInt(value, base);
    return Number.isNaN(parsed) ? argumentOf(given, 0, 'default', 0) : parsed;
  }
  const number = typeof value === 'string' ? parsedNumber(value) : numberOf(value);
  return number === null || !Number.isFinite(number) ? argumentOf(given, 0, 'default', 0) : Math.trunc(number);
}

function parsedNumber(text: string): number | null {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(text) ? Number(text) : null;
}

function indented(text: string, given: JinjaArguments): string {
  const width = argumentOf(given, 0, 'width', 4);
  const indent = typeof width === 'string' ? width : ' '.repeat(numberOf(width) ?? 4);
  const [first, blank] = [isTrue(argumentOf(given, 1, 'first')), isTrue(argumentOf(given, 2, 'blank'))];
  return text
    .split('\n')
    .map((line, index) => ((index === 0 && !first) || (line === '' && !blank && index > 0) ? line : indent + line))
    .join('\n');
}

function truncated(text: string, given: JinjaArguments): string {
  const most = countArgument(given, 0, 'length', 255);
  const end = textArgument(given, 2, 'end', '...');
  const leeway = countArgument(given, 3, 'leeway', 5);
  if (text.length <= most + leeway) return text;
  const cut = text.slice(0, Math.max(0, most - end.length));
  if (isTrue(argumentOf(given, 1, 'killwords'))) return cut + end;
  const space = cut.lastIndexOf(' ');
  return (space < 0 ? cut : cut.slice(0, space)) + end;
}

function centered(text: string, width: number): string {
  const before = Math.floor(Math.max(0, width - text.length) / 2);
  return text.padStart(text.length + before).padEnd(width);
}

function percent(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).toUpperCase()}`;
}
