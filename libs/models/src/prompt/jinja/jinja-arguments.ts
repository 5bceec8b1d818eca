import type { JinjaArguments, JinjaValue } from './jinja-value.ts';

export const NO_ARGUMENTS: JinjaArguments = { positional: [], named: new Map() };

/** An argument by its place or its name; `otherwise` where it is left out. */
export function argumentOf(given: JinjaArguments, place: number, name: string, otherwise?: JinjaValue): JinjaValue {
  if (place < given.positional.length) return given.positional[place];
  return given.named.has(name) ? given.named.get(name) : otherwise;
}

/** The same, as a text. @throws Error for any other type */
export function textArgument(given: JinjaArguments, place: number, name: string, otherwise?: string): string {
  const value = argumentOf(given, place, name, otherwise);
  if (typeof value !== 'string') throw new Error(`${name} must be a text`);
  return value;
}

/** The same, as a whole number. @throws Error for any other type */
export function countArgument(given: JinjaArguments, place: number, name: string, otherwise: number): number {
  const value = argumentOf(given, place, name, otherwise) ?? otherwise;
  if (typeof value !== 'number') throw new Error(`${name} must be a whole number`);
  return value;
}
