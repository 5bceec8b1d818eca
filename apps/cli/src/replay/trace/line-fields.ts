import { TraceError } from './trace-error.ts';

const MEND = 'Mend the line, or take it out.';
const DATE = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:00)?$/;

/** The fields of one line of a trace, each checked as it is read. */
export class LineFields {
  readonly #place: string;
  readonly #fields: ReadonlyMap<string, unknown>;

  /** @param place file and line, for errors */
  constructor(place: string, fields: ReadonlyMap<string, unknown>) {
    this.#place = place;
    this.#fields = fields;
  }

  /** A whole number of 0 or more. */
  count(field: string): number {
    const value = this.#fields.get(field);
    const count = numberOf(value);
    if (count !== null && Number.isSafeInteger(count) && count >= 0) return count;
    throw this.#refused(field, value, 'a whole number of 0 or more');
  }

  /** A number of 0 or more. */
  amount(field: string): number {
    const value = this.#fields.get(field);
    const amount = numberOf(value);
    if (amount !== null && amount >= 0) return amount;
    throw this.#refused(field, value, 'a number of 0 or more');
  }

  /** A time of day in UTC, to parts of a millisecond. @returns ms since 1970 */
  dateMs(field: string): number {
    const value = this.#fields.get(field);
    const [, date, time, fraction = '0'] = DATE.exec(String(value)) ?? [];
    const wholeMs = Date.parse(`${date}T${time}Z`);
    if (Number.isNaN(wholeMs)) throw this.#refused(field, value, 'a time such as 2023-11-16 18:17:03.9799600');
    return wholeMs + Number(fraction) * 1_000;
  }

  /** A list of whole numbers; empty when it is left out. */
  numbers(field: string): number[] {
    const value = this.#fields.get(field);
    if (value === undefined || value === null) return [];
    if (Array.isArray(value) && value.every(Number.isSafeInteger)) return value;
    throw this.#refused(field, value, 'a list of whole numbers');
  }

  #refused(field: string, value: unknown, wanted: string): TraceError {
    const told = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
    return new TraceError(this.#place, `"${field}" ${told}, and has to be ${wanted}.`, MEND);
  }
}

/** The fields of a line of comma-separated values, none of them quoted. @throws TraceError */
export function csvFields(place: string, columns: readonly string[], line: string): LineFields {
  const values = csvValues(line);
  if (values.length === columns.length) {
    return new LineFields(place, new Map(columns.map((column, at) => [column, values[at]])));
  }
  const problem = `${values.length} values stand under the header's ${columns.length} columns: ${shortened(line)}.`;
  throw new TraceError(place, problem, MEND);
}

export const csvValues = (line: string): string[] => line.split(',').map((value) => value.trim());

/** The fields of a JSON object. @throws TraceError */
export function jsonFields(place: string, line: string): LineFields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new TraceError(place, `The line is no JSON: ${shortened(line)}.`, MEND, { cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return new LineFields(place, new Map(Object.entries(value)));
  }
  throw new TraceError(place, `The line is no JSON object: ${shortened(line)}.`, MEND);
}

export const shortened = (line: string): string => JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);

/** Of a JSON number, or of a cell's text. */
function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
