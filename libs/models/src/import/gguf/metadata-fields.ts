import { ModelImportError } from '../model-import-error.ts';
import type { GgufValue } from './gguf-header.ts';

const CONVERT_AGAIN = 'convert the model again with a current llama.cpp, or take another file';
const MOST_COUNTED = 2 ** 31 - 1;

/** Typed access to a GGUF's metadata: a value that is missing or makes no sense is refused by name. */
export class MetadataFields {
  readonly #path: string;
  readonly #metadata: ReadonlyMap<string, GgufValue>;

  constructor(path: string, metadata: ReadonlyMap<string, GgufValue>) {
    this.#path = path;
    this.#metadata = metadata;
  }

  has(name: string): boolean {
    return this.#metadata.has(name);
  }

  /** A finite number. Where a file has one for each layer, they must be the same. */
  number(name: string, fallback?: number): number {
    const value = this.#alike(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if ((typeof value === 'number' && Number.isFinite(value)) || typeof value === 'bigint') return Number(value);
    throw this.#wrong(name, 'a number');
  }

  /** A whole number of things, `least` or more. */
  count(name: string, fallback?: number, least = 1): number {
    const value = this.number(name, fallback);
    if (Number.isInteger(value) && value >= least && value <= MOST_COUNTED) return value;
    throw this.refusal(name, value, `it must be a whole number from ${least} to ${MOST_COUNTED}`);
  }

  /** A number above zero. */
  positive(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (value > 0) return value;
    throw this.refusal(name, value, 'it must be above 0');
  }

  text(name: string, fallback?: string): string {
    const value = this.#metadata.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'string') return value;
    throw this.#wrong(name, 'text');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#metadata.get(name);
    return typeof value === 'boolean' ? value : fallback;
  }

  list<Type extends 'string' | 'number'>(name: string, type: Type): (Type extends 'string' ? string : number)[] {
    const value = this.#metadata.get(name);
    if (!Array.isArray(value) || value.some((entry) => typeof entry !== type))
      throw this.#wrong(name, `a list of ${type}s`);
    return value as (Type extends 'string' ? string : number)[];
  }

  /** Of a field whose value is understood, but cannot be used. */
  refusal(name: string, value: unknown, reason: string, remedy: string = CONVERT_AGAIN): ModelImportError {
    return new ModelImportError(this.#path, `metadata field ${name} is ${value}, ${reason}`, remedy);
  }

  #alike(name: string): GgufValue | undefined {
    const value = this.#metadata.get(name);
    if (!Array.isArray(value)) return value;
    const different = new Set(value);
    if (different.size === 1) return value[0];
    throw this.refusal(
      name,
      `a list with ${different.size} different values`,
      'layers that differ in it are not supported',
      'take an ONNX export of the model instead (millrace models pull), or another model',
    );
  }

  #wrong(name: string, wanted: string): ModelImportError {
    const value = this.#metadata.get(name);
    const kind = Array.isArray(value) ? `a list of ${typeof value[0]}s` : typeof value;
    const found = value === undefined ? 'is missing' : `is ${typeof value === 'number' ? value : kind}`;
    return new ModelImportError(this.#path, `metadata field ${name} ${found}, it must be ${wanted}`, CONVERT_AGAIN);
  }
}
