import { argumentOf, countArgument, NO_ARGUMENTS, textArgument } from './jinja-arguments.ts';
import type { JinjaFilter } from './jinja-filters.ts';
import { memberOf } from './jinja-members.ts';
import { operate } from './jinja-operators.ts';
import { JINJA_TESTS } from './jinja-tests.ts';
import { textOf } from './jinja-text.ts';
import {
  areEqual,
  compare,
  isDict,
  isTrue,
  itemsOf,
  type JinjaArguments,
  JinjaTuple,
  type JinjaValue,
  numberOf,
} from './jinja-value.ts';

/** Filters of lists that call other filters by name get them from here. */
export type FilterByName = (name: string) => JinjaFilter;

/** Jinja's filters of lists and of what can be looped over. `map` stands apart, since it calls other filters. */
export const LIST_FILTERS: readonly (readonly [string, JinjaFilter])[] = [
  ['list', (value) => [...itemsOf(value)]],
  ['first', (value) => itemsOf(value)[0]],
  ['last', (value) => itemsOf(value).at(-1)],
  ['reverse', (value) => (typeof value === 'string' ? [...value].reverse().join('') : [...itemsOf(value)].reverse())],
  ['select', (value, given) => itemsIfTrue(value).filter(passing(given, 0))],
  ['reject', (value, given) => itemsIfTrue(value).filter((item) => !passing(given, 0)(item))],
  ['selectattr', (value, given) => itemsIfTrue(value).filter(attributePassing(given))],
  ['rejectattr', (value, given) => itemsIfTrue(value).filter((item) => !attributePassing(given)(item))],
  [
    'join',
    (value, given) => {
      const attribute = argumentOf(given, 1, 'attribute', null);
      const separator = textOf(argumentOf(given, 0, 'd', ''));
      const items = itemsOf(value).map((item) => (attribute === null ? item : attributeOf(item, attribute)));
      return items.map(textOf).join(separator);
    },
  ],
  [
    'unique',
    (value, given) => {
      const keys = itemsOf(value).map(keyOf(given, 'case_sensitive', 0, 'attribute', 1));
      return itemsOf(value).filter((_, index) => keys.findIndex((key) => areEqual(key, keys[index])) === index);
    },
  ],
  [
    'sort',
    (value, given) => {
      const key = keyOf(given, 'case_sensitive', 1, 'attribute', 2);
      const sorted = [...itemsOf(value)].sort((a, b) => compare(key(a), key(b)));
      return isTrue(argumentOf(given, 0, 'reverse')) ? sortedDown(itemsOf(value), key) : sorted;
    },
  ],
  ['min', (value) => itemsOf(value).reduce((a, b) => (compare(b, a) < 0 ? b : a), itemsOf(value)[0])],
  ['max', (value) => itemsOf(value).reduce((a, b) => (compare(b, a) > 0 ? b : a), itemsOf(value)[0])],
  [
    'sum',
    (value, given) => {
      const attribute = argumentOf(given, 0, 'attribute', null);
      const items = itemsOf(value).map((item) => (attribute === null ? item : attributeOf(item, attribute)));
      return items.reduce<JinjaValue>((total, item) => operate('+', total, item), argumentOf(given, 1, 'start', 0));
    },
  ],
  [
    'batch',
    (value, given) =>
      batches(itemsOf(value), countArgument(given, 0, 'linecount', 1), argumentOf(given, 1, 'fill_with', null)),
  ],
  [
    'groupby',
    (value, given) => {
      const attribute = argumentOf(given, 0, 'attribute');
      const keyed = itemsOf(value).map((item) => [attributeOf(item, attribute), item] as const);
      keyed.sort(([a], [b]) => compare(a, b));
      const groups: [JinjaValue, JinjaValue[]][] = [];
      for (const [key, item] of keyed) {
        const last = groups.at(-1);
        if (last !== undefined && areEqual(last[0], key)) last[1].push(item);
        else groups.push([key, [item]]);
      }
      return groups.map((group) => new JinjaTuple(group));
    },
  ],
  [
    'dictsort',
    (value, given) => {
      if (!isDict(value)) throw new Error('the filter "dictsort" needs a mapping');
      const place = textArgument(given, 1, 'by', 'key') === 'value' ? 1 : 0;
      const key = (entry: JinjaValue): JinjaValue => {
        const part = (entry as JinjaTuple).items[place];
        return typeof part === 'string' && !isTrue(argumentOf(given, 0, 'case_sensitive')) ? part.toLowerCase() : part;
      };
      const entries = [...value].map((entry) => new JinjaTuple(entry));
      if (isTrue(argumentOf(given, 2, 'reverse'))) return sortedDown(entries, key);
      return entries.sort((a, b) => compare(key(a), key(b)));
    },
  ],
];

/** `map(attribute=…)`, `map('filter', …)`. */
export function mapped(value: JinjaValue, given: JinjaArguments, filterByName: FilterByName): JinjaValue {
  const attribute = given.named.get('attribute');
  if (attribute !== undefined) {
    const otherwise = given.named.get('default');
    return itemsIfTrue(value).map((item) => attributeOf(item, attribute) ?? otherwise);
  }
  const filter = filterByName(textArgument(given, 0, 'filter'));
  const rest = { positional: given.positional.slice(1), named: given.named };
  return itemsIfTrue(value).map((item) =>
    filter(item, rest.positional.length + rest.named.size === 0 ? NO_ARGUMENTS : rest),
  );
}

/** What the filters that select and map go over: Jinja's take whatever is false, None above all, for nothing. */
function itemsIfTrue(value: JinjaValue): readonly JinjaValue[] {
  return isTrue(value) ? itemsOf(value) : [];
}

function passing(given: JinjaArguments, place: number): (item: JinjaValue) => boolean {
  const [name, ...rest] = given.positional.slice(place);
  if (name === undefined) return isTrue;
  const test = JINJA_TESTS.get(textOf(name));
  if (test === undefined) throw new Error(`No test named '${textOf(name)}'`);
  return (item) => test(item, ...rest);
}

function attributePassing(given: JinjaArguments): (item: JinjaValue) => boolean {
  const attribute = argumentOf(given, 0, 'attribute');
  return (item) => passing(given, 1)(attributeOf(item, attribute));
}

/** An attribute by its path (`function.name`, `0`). */
function attributeOf(item: JinjaValue, path: JinjaValue): JinjaValue {
  if (typeof path !== 'string') return memberOf(item, path);
  let value = item;
  for (const part of path.split('.')) value = memberOf(value, /^\d+$/.test(part) ? Number(part) : part);
  return value;
}

/** What items are compared by: an attribute, if one is given; texts in lower case, unless told otherwise. */
function keyOf(
  given: JinjaArguments,
  caseName: string,
  casePlace: number,
  attributeName: string,
  attributePlace: number,
) {
  const sensitive = isTrue(argumentOf(given, casePlace, caseName));
  const attribute = argumentOf(given, attributePlace, attributeName, null);
  return (item: JinjaValue): JinjaValue => {
    const value = attribute === null ? item : attributeOf(item, attribute);
    return typeof value === 'string' && !sensitive ? value.toLowerCase() : value;
  };
}

/** Python's sort with `reverse`: equal items keep their order. */
function sortedDown(items: readonly JinjaValue[], key: (item: JinjaValue) => JinjaValue): JinjaValue[] {
  return [...items].sort((a, b) => compare(key(b), key(a)));
}

function batches(items: readonly JinjaValue[], size: number, fill: JinjaValue): JinjaValue[] {
  const width = Math.max(1, numberOf(size) ?? 1);
  return Array.from({ length: Math.ceil(items.length / width) }, (_, index) => {
    const batch = items.slice(index * width, (index + 1) * width);
    return fill === null ? batch : [...batch, ...new Array<JinjaValue>(width - batch.length).fill(fill)];
  });
}
