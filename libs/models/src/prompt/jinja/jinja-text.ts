import {
  isDict,
  isList,
  type JinjaArguments,
  JinjaFloat,
  JinjaFunction,
  JinjaTuple,
  type JinjaValue,
  typeName,
} from './jinja-value.ts';

const EXPONENT_FROM = 16;
const EXPONENT_BELOW = -4;

/** What Python's `str` makes of a value: what is written where a template writes it. Undefined is ''. */
export function textOf(value: JinjaValue): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : representation(value);
}

/** Python's `repr`. */
export function representation(value: JinjaValue): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return integerText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (value instanceof JinjaFloat) return floatText(value.value);
  if (isList(value)) return `[${value.map(representation).join(', ')}]`;
  if (isDict(value)) {
    return `{${[...value].map(([key, item]) => `${representation(key)}: ${representation(item)}`).join(', ')}}`;
  }
  if (value instanceof JinjaTuple) {
    return `(${value.items.map(representation).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  }
  return value instanceof JinjaFunction ? `<function ${value.name}>` : '<Namespace>';
}

function integerText(value: number): string {
  return Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString();
}

/** Python's `repr` of a float: the shortest digits, with an exponent from 1e16 and below 1e-4. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [digits = '0', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent >= EXPONENT_FROM || exponent < EXPONENT_BELOW)) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const text =
    exponent < 0 ? value.toFixed(Math.min(100, digits.replace(/\D/g, '').length - 1 - exponent)) : String(value);
  return text.includes('.') ? text : `${text}.0`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
/** Characters that Python writes escaped: controls, separators but the blank, and what has no character. */
const NOT_PRINTABLE = /[\\]|[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(NOT_PRINTABLE, (character) => ESCAPES[character] ?? escapeOf(character));
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
}

interface JsonLayout {
  readonly indent: string | null;
  readonly separators: readonly [string, string];
  readonly sortKeys: boolean;
  readonly ensureAscii: boolean;
}

/**
 * The filter `tojson` as Hugging Face defines it: Python's `json.dumps` without escapes for HTML.
 * What is not defined is written as null, where Python fails.
 */
export function jsonText(value: JinjaValue, { positional, named }: JinjaArguments): string {
  const option = (name: string, place: number): JinjaValue => positional[place] ?? named.get(name);
  const given = option('indent', 1);
  const indent = typeof given === 'number' ? ' '.repeat(given) : typeof given === 'string' ? given : null;
  const separators = option('separators', 2);
  const [item, key] =
    separators instanceof JinjaTuple
      ? separators.items
      : isList(separators ?? null)
        ? (separators as readonly JinjaValue[])
        : [];
  return write(
    value,
    {
      indent,
      separators: [
        typeof item === 'string' ? item : indent === null ? ', ' : ',',
        typeof key === 'string' ? key : ': ',
      ],
      sortKeys: option('sort_keys', 3) === true,
      ensureAscii: option('ensure_ascii', 0) === true,
    },
    '\n',
  );
}

function write(value: JinjaValue, layout: JsonLayout, lineBreak: string): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof JinjaFloat)
    return representation(value);
  if (typeof value === 'string') return jsonString(value, layout);
  const [separator, colon] = layout.separators;
  const inner = layout.indent === null ? '' : lineBreak + layout.indent;
  const end = layout.indent === null ? '' : lineBreak;
  const parts = (items: readonly string[], open: string, close: string): string =>
    items.length === 0 ? open + close : open + inner + items.join(separator + inner) + end + close;
  const deeper = lineBreak + (layout.indent ?? '');
  if (isList(value) || value instanceof JinjaTuple) {
    const items = isList(value) ? value : value.items;
    return parts(
      items.map((each) => write(each, layout, deeper)),
      '[',
      ']',
    );
  }
  if (isDict(value)) {
    const entries = [...value].map(([key, each]) => [jsonKey(key), each] as const);
    if (layout.sortKeys) entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return parts(
      entries.map(([key, each]) => jsonString(key, layout) + colon + write(each, layout, deeper)),
      '{',
      '}',
    );
  }
  throw new Error(`Object of type ${typeName(value)} is not JSON serializable`);
}

function jsonKey(key: JinjaValue): string {
  return typeof key === 'string'
    ? key
    : write(key, { indent: null, separators: [', ', ': '], sortKeys: false, ensureAscii: false }, '');
}

function jsonString(text: string, { ensureAscii }: JsonLayout): string {
  const json = JSON.stringify(text);
  if (!ensureAscii) return json;
  return json.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
