import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';

/** A model folder and, where the path named one, its ONNX file. */
export interface ModelPlace {
  /** Absolute path. */
  readonly folder: string;
  /** Path inside the folder of the ONNX file that was named; null when the folder itself was. */
  readonly named: string | null;
}

/** Takes a path to a folder, or to one of its ONNX files, such as `qwen/onnx/model_q4.onnx`. */
export async function modelPlace(path: string): Promise<ModelPlace> {
  const file = resolve(path);
  if (!file.endsWith('.onnx') || (await stat(file).catch(() => null))?.isDirectory())
    return { folder: file, named: null };
  const beside = dirname(file);
  const folder = basename(beside) === 'onnx' ? dirname(beside) : beside;
  return { folder, named: relative(folder, file) };
}

/** The ONNX files of a folder and of its `onnx/`, as paths inside it, in order. */
export async function onnxFilesOf(folder: string): Promise<string[]> {
  const found = await Promise.all(
    ['', 'onnx'].map(async (inside) => {
      const names = await readdir(join(folder, inside)).catch(() => []);
      return names.filter((name) => name.endsWith('.onnx')).map((name) => join(inside, name));
    }),
  );
  return found.flat().sort();
}
