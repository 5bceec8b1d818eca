import { floatText, representation, textOf } from './jinja-text.ts';
import { type JinjaArguments, JinjaFloat, type JinjaValue, numberOf, typeName } from './jinja-value.ts';

const PRINTF = /%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g;
const FIELD = /\{\{|\}\}|\{(\w*)((?:\.\w+|\[\w+\])*)(?:!([rs]))?(?::([^{}]*))?\}/g;
const SPEC = /^(?:(.)?([<>^]))?([-+ ]?)(0?)(\d*)(,?)(?:\.(\d+))?([a-zA-Z%]?)$/u;
const MAX_WIDTH = 10_000;

/** Python's `pattern % items` with the conversions s, r, d, i, x, f, e, g. @throws Error for others, or too few items */
export function formatted(pattern: string, items: readonly JinjaValue[]): string {
  let next = 0;
  return pattern.replace(
    PRINTF,
    (_, _name, flags: string, width: string, precision: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      if (next >= items.length) throw new Error('not enough arguments for format string');
      const text = converted(
        items[next++],
        kind,
        precision === undefined ? null : Number(precision),
        flags.includes('+'),
      );
      const room = Math.min(Number(width || 0), MAX_WIDTH);
      if (flags.includes('-')) return text.padEnd(room);
      if (!flags.includes('0') || kind === 's') return text.padStart(room);
      const sign = /^[-+]/.exec(text)?.[0] ?? '';
      return sign + text.slice(sign.length).padStart(room - sign.length, '0');
    },
  );
}

/** Python's `pattern.format(…)`, with the usual specifications of width, precision and type. */
export function formattedByFields(pattern: string, { positional, named }: JinjaArguments): string {
  let next = 0;
  return pattern.replace(FIELD, (whole, name: string | undefined, _path, conversion: string | undefined, spec = '') => {
    if (whole === '{{' || whole === '}}') return whole.charAt(0);
    const key = name === undefined || name === '' ? next++ : /^\d+$/.test(name) ? Number(name) : name;
    const value = typeof key === 'number' ? positional[key] : named.get(key);
    if (value === undefined) throw new Error(`nothing is given for the field {${key}}`);
    return aligned(conversion === 'r' ? representation(value) : value, spec);
  });
}

function aligned(value: JinjaValue, spec: string): string {
  const match = SPEC.exec(spec);
  if (match === null) throw new Error(`unknown format specification ${spec}`);
  const [, fill = ' ', align, sign, zero, width, comma, precision, kind] = match;
  const isNumber = numberOf(value) !== null && typeof value !== 'boolean';
  let text: string;
  if (isNumber && kind !== 's') {
    text = converted(
      value,
      kind || (precision ? 'g' : 'r'),
      precision === undefined ? null : Number(precision),
      sign === '+',
    );
    if (comma) text = text.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  } else {
    text = textOf(value);
    if (precision !== undefined) text = text.slice(0, Number(precision));
  }
  const room = Math.min(Number(width || 0), MAX_WIDTH);
  if (zero && !align) return text.padStart(room, '0');
  const side = align ?? (isNumber ? '>' : '<');
  if (side === '>') return text.padStart(room, fill);
  if (side === '<') return text.padEnd(room, fill);
  const before = Math.floor(Math.max(0, room - text.length) / 2);
  return text.padStart(text.length + before, fill).padEnd(room, fill);
}

function converted(value: JinjaValue, kind: string, precision: number | null, plus: boolean): string {
  if (kind === 's') return precision === null ? textOf(value) : textOf(value).slice(0, precision);
  if (kind === 'r') return representation(value);
  const number = numberOf(value);
  if (number === null) throw new Error(`%${kind} format: a number is required, not ${typeName(value)}`);
  const sign = plus && number >= 0 ? '+' : '';
  switch (kind) {
    case 'd':
    case 'i':
      return sign + String(Math.trunc(number));
    case 'x':
      return sign + Math.trunc(number).toString(16);
    case 'f':
    case 'F':
      return sign + number.toFixed(Math.min(precision ?? 6, 100));
    case 'e':
      return sign + number.toExponential(Math.min(precision ?? 6, 100)).replace(/e([-+])(\d)$/, 'e$10$2');
    case 'g':
      return sign + String(Number(number.toPrecision(Math.max(1, Math.min(precision ?? 6, 100)))));
    case '%':
      return `${sign}${(number * 100).toFixed(Math.min(precision ?? 6, 100))}%`;
    default:
      throw new Error(`unsupported format character '${kind}'`);
  }
}

/** Python's `round(number, digits)` of a float: to the even neighbour at half. */
export function rounded(value: number, digits: number): JinjaFloat {
  const scale = 10 ** digits;
  const scaled = Number(floatText(value * scale));
  const below = Math.floor(scaled);
  const up = scaled - below > 0.5 || (scaled - below === 0.5 && below % 2 !== 0);
  return new JinjaFloat((up ? below + 1 : below) / scale);
}
