import { formatted } from './jinja-format.ts';
import { textOf } from './jinja-text.ts';
import {
  areEqual,
  compare,
  isDict,
  isList,
  itemsOf,
  JinjaFloat,
  JinjaTuple,
  type JinjaValue,
  numberOf,
  typeName,
} from './jinja-value.ts';

/** Longest text or list that an operator makes, in characters or items. */
const MAX_LENGTH = 2 ** 26;

/** An operator between two values, by Python's rules; `and` and `or` are not among them. @throws Error as Python does */
export function operate(operator: string, left: JinjaValue, right: JinjaValue): JinjaValue {
  switch (operator) {
    case '==':
      return areEqual(left, right);
    case '!=':
      return !areEqual(left, right);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    case '>=':
      return compare(left, right) >= 0;
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    case '~':
      return textOf(left) + textOf(right);
    case '+':
      return add(left, right);
    case '*':
      return repeated(left, right) ?? repeated(right, left) ?? arithmetic(operator, left, right);
    case '%':
      return typeof left === 'string'
        ? formatted(left, right instanceof JinjaTuple ? right.items : [right])
        : arithmetic(operator, left, right);
    default:
      return arithmetic(operator, left, right);
  }
}

export function contains(container: JinjaValue, item: JinjaValue): boolean {
  if (typeof container === 'string') {
    if (typeof item !== 'string')
      throw new Error(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return container.includes(item);
  }
  if (isDict(container)) return container.has(item);
  return itemsOf(container).some((each) => areEqual(each, item));
}

function add(left: JinjaValue, right: JinjaValue): JinjaValue {
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (isList(left) && isList(right)) return [...left, ...right];
  if (left instanceof JinjaTuple && right instanceof JinjaTuple) return new JinjaTuple([...left.items, ...right.items]);
  return arithmetic('+', left, right);
}

function repeated(value: JinjaValue, times: JinjaValue): JinjaValue | null {
  if (typeof times !== 'number') return null;
  const count = Math.max(0, times);
  const length = typeof value === 'string' || isList(value) ? value.length : 0;
  if (length * count > MAX_LENGTH) throw new Error(`a value of more than ${MAX_LENGTH} characters or items`);
  if (typeof value === 'string') return value.repeat(count);
  return isList(value) ? Array.from({ length: count }, () => value).flat() : null;
}

function arithmetic(operator: string, left: JinjaValue, right: JinjaValue): JinjaValue {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a === null || b === null) {
    throw new Error(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
  }
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new Error('division by zero');
  const isFloat = left instanceof JinjaFloat || right instanceof JinjaFloat;
  const number = (value: number): JinjaValue => (isFloat ? new JinjaFloat(value) : value);
  switch (operator) {
    case '+':
      return number(a + b);
    case '-':
      return number(a - b);
    case '*':
      return number(a * b);
    case '/':
      return new JinjaFloat(a / b);
    case '//':
      return number(Math.floor(a / b));
    case '%':
      return number(a - b * Math.floor(a / b));
    case '**':
      return b < 0 ? new JinjaFloat(a ** b) : number(a ** b);
    default:
      throw new Error(`unknown operator ${operator}`);
  }
}
