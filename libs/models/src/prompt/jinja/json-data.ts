import { JinjaFloat } from './jinja-value.ts';

/** What `JSON.parse` tells its reviver of a number, by ECMAScript 2026; TypeScript does not know it yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * The data of a JSON text with Python's numbers: `1.0` stays a float, and no digit of a long integer is lost. Long ids and
 * amounts of earlier calls would come back to the model as others.
 * @throws SyntaxError
 */
export function dataOfJson(text: string): unknown {
  const pythonNumber: Reviver = (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value;
    if (/[.eE]/.test(source)) return new JinjaFloat(value);
    return Number.isSafeInteger(value) ? value : BigInt(source);
  };
  return JSON.parse(text, pythonNumber as (key: string, value: unknown) => unknown);
}
