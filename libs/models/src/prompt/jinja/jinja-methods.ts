import { argumentOf, countArgument, textArgument } from './jinja-arguments.ts';
import { formattedByFields } from './jinja-format.ts';
import { textOf } from './jinja-text.ts';
import {
  areEqual,
  isDict,
  isList,
  itemsOf,
  type JinjaArguments,
  type JinjaDict,
  JinjaFunction,
  JinjaTuple,
  type JinjaValue,
} from './jinja-value.ts';

type TextMethod = (text: string, given: JinjaArguments) => JinjaValue;

/** White space as Python's `str` knows it. */
const SPACE = '\\s\\x1c-\\x1f\\x85';
const LINE_ENDS = '[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]';
const LINE_BREAKS = new RegExp(`\\r\\n|${LINE_ENDS}`);

/** Python's methods of `str` that change nothing. https://docs.python.org/3/library/stdtypes.html#string-methods */
const TEXT_METHODS: Readonly<Record<string, TextMethod>> = {
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  casefold: (text) => text.toLowerCase(),
  swapcase: (text) =>
    [...text].map((each) => (each === each.toUpperCase() ? each.toLowerCase() : each.toUpperCase())).join(''),
  capitalize: (text) => capitalized(text),
  title: (text) => text.replace(/\p{L}+/gu, capitalized),
  strip: (text, given) => stripped(text, argumentOf(given, 0, 'chars'), true, true),
  lstrip: (text, given) => stripped(text, argumentOf(given, 0, 'chars'), true, false),
  rstrip: (text, given) => stripped(text, argumentOf(given, 0, 'chars'), false, true),
  split: (text, given) => splitText(text, argumentOf(given, 0, 'sep', null), countArgument(given, 1, 'maxsplit', -1)),
  rsplit: (text, given) => {
    const reversed = (part: string): string => [...part].reverse().join('');
    const separator = argumentOf(given, 0, 'sep', null);
    const mirrored = typeof separator === 'string' ? reversed(separator) : separator;
    const parts = splitText(reversed(text), mirrored, countArgument(given, 1, 'maxsplit', -1));
    return parts.map(reversed).reverse();
  },
  splitlines: (text) => {
    const lines = text.split(LINE_BREAKS);
    return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  },
  partition: (text, given) => {
    const separator = textArgument(given, 0, 'sep');
    const at = text.indexOf(separator);
    return new JinjaTuple(at < 0 ? [text, '', ''] : [text.slice(0, at), separator, text.slice(at + separator.length)]);
  },
  rpartition: (text, given) => {
    const separator = textArgument(given, 0, 'sep');
    const at = text.lastIndexOf(separator);
    return new JinjaTuple(at < 0 ? ['', '', text] : [text.slice(0, at), separator, text.slice(at + separator.length)]);
  },
  replace: (text, given) =>
    replaced(text, textArgument(given, 0, 'old'), textArgument(given, 1, 'new'), countArgument(given, 2, 'count', -1)),
  startswith: (text, given) => ends(given).some((each) => partOf(text, given, 1).startsWith(each)),
  endswith: (text, given) => ends(given).some((each) => partOf(text, given, 1).endsWith(each)),
  find: (text, given) => placeOf(text, given, 'indexOf'),
  rfind: (text, given) => placeOf(text, given, 'lastIndexOf'),
  index: (text, given) => found(placeOf(text, given, 'indexOf')),
  rindex: (text, given) => found(placeOf(text, given, 'lastIndexOf')),
  count: (text, given) => {
    const part = textArgument(given, 0, 'sub');
    return part === '' ? [...text].length + 1 : text.split(part).length - 1;
  },
  join: (text, given) =>
    itemsOf(argumentOf(given, 0, 'iterable'))
      .map((item) => {
        if (typeof item !== 'string') throw new Error('join needs texts');
        return item;
      })
      .join(text),
  format: (text, given) => formattedByFields(text, given),
  removeprefix: (text, given) => {
    const prefix = textArgument(given, 0, 'prefix');
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  },
  removesuffix: (text, given) => {
    const suffix = textArgument(given, 0, 'suffix');
    return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
  },
  zfill: (text, given) => {
    const [, sign = '', digits = ''] = /^([-+]?)(.*)$/s.exec(text) ?? [];
    return sign + digits.padStart(countArgument(given, 0, 'width', 0) - sign.length, '0');
  },
  ljust: (text, given) => text.padEnd(countArgument(given, 0, 'width', 0), textArgument(given, 1, 'fillchar', ' ')),
  rjust: (text, given) => text.padStart(countArgument(given, 0, 'width', 0), textArgument(given, 1, 'fillchar', ' ')),
  isdigit: (text) => /^\p{Nd}+$/u.test(text),
  isdecimal: (text) => /^\p{Nd}+$/u.test(text),
  isnumeric: (text) => /^\p{N}+$/u.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isspace: (text) => new RegExp(`^[${SPACE}]+$`).test(text),
  isupper: (text) => text !== text.toLowerCase() && text === text.toUpperCase(),
  islower: (text) => text !== text.toUpperCase() && text === text.toLowerCase(),
};

const DICT_METHODS: Readonly<Record<string, (dict: JinjaDict, given: JinjaArguments) => JinjaValue>> = {
  keys: (dict) => [...dict.keys()],
  values: (dict) => [...dict.values()],
  items: (dict) => [...dict].map((entry) => new JinjaTuple(entry)),
  get: (dict, given) => {
    const key = argumentOf(given, 0, 'key');
    return dict.has(key) ? dict.get(key) : argumentOf(given, 1, 'default', null);
  },
  copy: (dict) => dict,
};

const LIST_METHODS: Readonly<Record<string, (list: readonly JinjaValue[], given: JinjaArguments) => JinjaValue>> = {
  index: (list, given) => found(list.findIndex((item) => areEqual(item, argumentOf(given, 0, 'value')))),
  count: (list, given) => list.filter((item) => areEqual(item, argumentOf(given, 0, 'value'))).length,
  copy: (list) => list,
};

/** Python's methods that change their object; templates may not, as in Hugging Face's sandbox. */
const CHANGING = new Set(
  'append extend insert remove clear sort reverse pop popitem update setdefault add discard'.split(' '),
);

/** A method of a value, bound to it; undefined where it has none of that name. */
export function methodOf(value: JinjaValue, name: string): JinjaFunction | undefined {
  const bound = (call: ((given: JinjaArguments) => JinjaValue) | undefined): JinjaFunction | undefined =>
    call === undefined ? undefined : new JinjaFunction(name, call);
  if (typeof value === 'string') {
    const method = ownMethod(TEXT_METHODS, name);
    return bound(method && ((given) => method(value, given)));
  }
  const isContainer = isDict(value) || isList(value);
  if (isContainer && CHANGING.has(name)) {
    return bound(() => {
      throw new Error(`${name} would change a value, which templates may not`);
    });
  }
  if (isDict(value)) {
    const method = ownMethod(DICT_METHODS, name);
    return bound(method && ((given) => method(value, given)));
  }
  if (!isList(value)) return undefined;
  const method = ownMethod(LIST_METHODS, name);
  return bound(method && ((given) => method(value, given)));
}

function ownMethod<T>(methods: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** The first letter large, all others small. */
function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}

/** Python's `strip`: of white space, or of the characters given. */
export function stripped(text: string, characters: JinjaValue, atStart: boolean, atEnd: boolean): string {
  const set = typeof characters === 'string' ? characters.replace(/[\\\]^-]/g, '\\$&') : SPACE;
  if (set === '') return text;
  let result = text;
  if (atStart) result = result.replace(new RegExp(`^[${set}]+`, 'u'), '');
  if (!atEnd) return result;
  const kept = new RegExp(`[^${set}]`, 'u');
  const units = [...result];
  const last = units.findLastIndex((unit) => kept.test(unit));
  return units.slice(0, last + 1).join('');
}

/** Python's `replace` with its count; below 0 for all. */
export function replaced(text: string, old: string, by: string, count: number): string {
  if (count < 0) return text.replaceAll(old, () => by);
  const parts = text.split(old);
  return (
    parts.slice(0, count + 1).join(by) +
    parts
      .slice(count + 1)
      .map((part) => old + part)
      .join('')
  );
}

function splitText(text: string, separator: JinjaValue, most: number): string[] {
  if (separator !== null && (typeof separator !== 'string' || separator === '')) throw new Error('empty separator');
  const parts: string[] = [];
  let rest = separator === null ? stripped(text, null, true, false) : text;
  const next = separator === null ? new RegExp(`[${SPACE}]+`) : null;
  while (separator !== null || rest !== '') {
    const match = next?.exec(rest);
    const at = separator === null ? (match?.index ?? -1) : rest.indexOf(separator);
    if (at < 0 || (most >= 0 && parts.length >= most)) {
      parts.push(rest);
      break;
    }
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + (separator === null ? (match?.[0].length ?? 0) : separator.length));
  }
  return parts;
}

function ends(given: JinjaArguments): string[] {
  const value = argumentOf(given, 0, 'prefix');
  const all = typeof value === 'string' ? [value] : value instanceof JinjaTuple ? value.items : null;
  if (all === null) throw new Error('a text or a tuple of texts is needed');
  return all.map(textOf);
}

/** The part of a text from the start and end that a method was given. */
function partOf(text: string, given: JinjaArguments, place: number): string {
  if (given.positional.length <= place) return text;
  const units = [...text];
  return units
    .slice(countArgument(given, place, 'start', 0), countArgument(given, place + 1, 'end', units.length))
    .join('');
}

/** In characters; -1 where it is not. */
function placeOf(text: string, given: JinjaArguments, search: 'indexOf' | 'lastIndexOf'): number {
  const start = countArgument(given, 1, 'start', 0);
  const part = partOf(text, given, 1);
  const at = part[search](textArgument(given, 0, 'sub'));
  return at < 0 ? -1 : [...part.slice(0, at)].length + (start < 0 ? Math.max(0, [...text].length + start) : start);
}

function found(place: number): number {
  if (place < 0) throw new Error('substring or value not found');
  return place;
}
