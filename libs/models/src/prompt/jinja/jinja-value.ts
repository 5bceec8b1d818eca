/**
 * A value as a template sees it, with Python's types. Numbers of JavaScript are Python's ints, those beyond 2^53 bigints, which
 * are only written; `undefined` is Jinja's Undefined, null is None.
 */
export type JinjaValue =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | JinjaFloat
  | readonly JinjaValue[]
  | JinjaTuple
  | JinjaDict
  | JinjaNamespace
  | JinjaFunction;

export type JinjaDict = ReadonlyMap<JinjaValue, JinjaValue>;

export class JinjaFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export class JinjaTuple {
  readonly items: readonly JinjaValue[];

  constructor(items: readonly JinjaValue[]) {
    this.items = items;
  }
}

/** `namespace(…)`, whose fields templates set, and `loop`, whose fields they read. */
export class JinjaNamespace {
  readonly fields: Map<string, JinjaValue>;

  constructor(fields: Iterable<readonly [string, JinjaValue]> = []) {
    this.fields = new Map(fields);
  }
}

/** The `loop` of a recursive loop: `loop(items)` runs the loop over them. */
export class JinjaCallable extends JinjaNamespace {
  readonly call: (given: JinjaArguments) => JinjaValue;

  constructor(fields: Iterable<readonly [string, JinjaValue]>, call: (given: JinjaArguments) => JinjaValue) {
    super(fields);
    this.call = call;
  }
}

/** The arguments of a call, after unpacking. */
export interface JinjaArguments {
  readonly positional: readonly JinjaValue[];
  readonly named: ReadonlyMap<string, JinjaValue>;
}

/** A macro, a global function, or a method that is bound to its object. */
export class JinjaFunction {
  readonly name: string;
  readonly call: (given: JinjaArguments) => JinjaValue;

  constructor(name: string, call: (given: JinjaArguments) => JinjaValue) {
    this.name = name;
    this.call = call;
  }
}

/** Copies data as JSON has it, so that a template has no way to a JavaScript prototype. */
export function jinjaValueOf(value: unknown): JinjaValue {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? value : new JinjaFloat(value);
  if (typeof value === 'bigint' || value instanceof JinjaFloat || value instanceof JinjaFunction) return value;
  if (Array.isArray(value)) return value.map(jinjaValueOf);
  return new Map(Object.entries(value as object).map(([key, item]) => [key, jinjaValueOf(item)]));
}

export function isList(value: JinjaValue): value is readonly JinjaValue[] {
  return Array.isArray(value);
}

export function isDict(value: JinjaValue): value is JinjaDict {
  return value instanceof Map;
}

/** The number that an int, a float or a bool is; null for all else. */
export function numberOf(value: JinjaValue): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') return Number(value);
  return value instanceof JinjaFloat ? value.value : null;
}

export function isTrue(value: JinjaValue): boolean {
  if (isList(value)) return value.length > 0;
  if (isDict(value)) return value.size > 0;
  if (value instanceof JinjaTuple) return value.items.length > 0;
  if (value instanceof JinjaFloat) return value.value !== 0;
  return Boolean(value);
}

/** What a loop over the value gives. @throws Error when it can not be looped over */
export function itemsOf(value: JinjaValue): readonly JinjaValue[] {
  if (isList(value)) return value;
  if (value instanceof JinjaTuple) return value.items;
  if (typeof value === 'string') return [...value];
  if (isDict(value)) return [...value.keys()];
  if (value === undefined) return [];
  throw new Error(`'${typeName(value)}' object is not iterable`);
}

export function lengthOf(value: JinjaValue): number {
  if (typeof value === 'string') return [...value].length;
  return isDict(value) ? value.size : itemsOf(value).length;
}

/** Python's `==`. */
export function areEqual(a: JinjaValue, b: JinjaValue): boolean {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== null || right !== null) return left === right;
  if (isList(a) && isList(b)) return sameItems(a, b);
  if (a instanceof JinjaTuple && b instanceof JinjaTuple) return sameItems(a.items, b.items);
  if (isDict(a) && isDict(b)) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && areEqual(value, b.get(key)));
  }
  return a === b;
}

function sameItems(a: readonly JinjaValue[], b: readonly JinjaValue[]): boolean {
  return a.length === b.length && a.every((item, index) => areEqual(item, b[index]));
}

/** Below 0 when `a` comes first, 0 when they are equal. @throws Error for types that Python does not order */
export function compare(a: JinjaValue, b: JinjaValue): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== null && right !== null) return left - right;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const [first, second] = [sequenceOf(a), sequenceOf(b)];
  if (first === null || second === null || typeName(a) !== typeName(b)) {
    throw new Error(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
  }
  const place = first.findIndex((item, index) => index >= second.length || !areEqual(item, second[index]));
  if (place < 0) return first.length - second.length;
  return place >= second.length ? 1 : compare(first[place], second[place]);
}

function sequenceOf(value: JinjaValue): readonly JinjaValue[] | null {
  if (isList(value)) return value;
  return value instanceof JinjaTuple ? value.items : null;
}

/** The name of its type in Python, for messages. */
export function typeName(value: JinjaValue): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (typeof value === 'string') return 'str';
  if (isList(value)) return 'list';
  if (isDict(value)) return 'dict';
  if (value instanceof JinjaFloat) return 'float';
  if (value instanceof JinjaTuple) return 'tuple';
  return value instanceof JinjaNamespace ? 'Namespace' : 'function';
}
