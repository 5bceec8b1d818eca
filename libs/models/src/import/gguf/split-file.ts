import { ModelImportError } from '../model-import-error.ts';
import type { GgufValue } from './gguf-header.ts';
import { MetadataFields } from './metadata-fields.ts';

/** `model-00001-of-00003.gguf`, as llama.cpp's `llama-gguf-split` names them. */
const PART_NAME = /-(\d{5})-of-(\d{5})\.gguf$/;

/** What a file is of a model that was split into several. */
export interface Split {
  /** Without `-00001-of-00003.gguf`. */
  readonly stem: string;
  /** From 0 on; the first one has the metadata. */
  readonly number: number;
  readonly count: number;
}

/**
 * @returns null for a model in one file
 * @throws ModelImportError when the file's name does not tell where the others are
 */
export function splitOf(path: string, metadata: ReadonlyMap<string, GgufValue>): Split | null {
  const fields = new MetadataFields(path, metadata);
  const count = fields.count('split.count', 1, 0);
  if (count <= 1) return null;
  const number = fields.count('split.no', undefined, 0);
  const name = PART_NAME.exec(path);
  if (name === null || Number(name[1]) !== number + 1 || Number(name[2]) !== count)
    throw new ModelImportError(
      path,
      `it is part ${number + 1} of ${count}, and its name does not end so`,
      `put all parts into one folder as …${ending(number, count)} and so on, or join them with llama-gguf-split --merge`,
    );
  return { stem: path.slice(0, name.index), number, count };
}

/** All files of the model, the one with the metadata first. */
export function pathsOfParts({ stem, count }: Split): string[] {
  return Array.from({ length: count }, (_, number) => `${stem}${ending(number, count)}`);
}

function ending(number: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `-${digits(number + 1)}-of-${digits(count)}.gguf`;
}
