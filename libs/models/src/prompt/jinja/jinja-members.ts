import { methodOf } from './jinja-methods.ts';
import {
  isDict,
  isList,
  type JinjaFunction,
  JinjaNamespace,
  JinjaTuple,
  type JinjaValue,
  typeName,
} from './jinja-value.ts';

/** `value[key]`: an item first, then a method. Undefined where it has none. @throws Error when the value is not defined */
export function memberOf(value: JinjaValue, key: JinjaValue): JinjaValue {
  if (value === undefined) throw new Error(`something undefined has no '${String(key)}'`);
  if (isDict(value) && value.has(key)) return value.get(key);
  if (value instanceof JinjaNamespace) return value.fields.get(String(key));
  if (typeof key === 'number' || typeof key === 'boolean') return itemAt(value, Number(key));
  return typeof key === 'string' ? methodOf(value, key) : undefined;
}

/** `value.name`: a method first, then an item. */
export function attributeOf(value: JinjaValue, name: string): JinjaValue | JinjaFunction {
  if (value === undefined) throw new Error(`something undefined has no attribute '${name}'`);
  return methodOf(value, name) ?? memberOf(value, name);
}

function itemAt(value: JinjaValue, index: number): JinjaValue {
  if (isList(value)) return value.at(index);
  if (value instanceof JinjaTuple) return value.items.at(index);
  return typeof value === 'string' ? [...value].at(index) : undefined;
}

/** Python's `value[start:stop:step]`. @throws Error for what has no slices */
export function sliceOf(value: JinjaValue, start: JinjaValue, stop: JinjaValue, step: JinjaValue): JinjaValue {
  const by = (step ?? 1) as number;
  if ([start ?? 0, stop ?? 0, by].some((bound) => typeof bound !== 'number') || by === 0) {
    throw new Error('slice indices must be whole numbers, and the step not 0');
  }
  if (typeof value === 'string') return sliced([...value], start as number, stop as number, by).join('');
  if (isList(value)) return sliced(value, start as number, stop as number, by);
  if (value instanceof JinjaTuple) return new JinjaTuple(sliced(value.items, start as number, stop as number, by));
  throw new Error(`'${typeName(value)}' object has no slices`);
}

function sliced<T>(
  items: readonly T[],
  start: number | null | undefined,
  stop: number | null | undefined,
  step: number,
): T[] {
  const { length } = items;
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const bound = (given: number | null | undefined, otherwise: number): number => {
    if (given === null || given === undefined) return otherwise;
    return Math.min(Math.max(given < 0 ? given + length : given, least), most);
  };
  const [from, to] = step > 0 ? [bound(start, 0), bound(stop, length)] : [bound(start, length - 1), bound(stop, -1)];
  const result: T[] = [];
  for (let at = from; step > 0 ? at < to : at > to; at += step) result.push(items[at] as T);
  return result;
}
