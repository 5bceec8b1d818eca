import { readdir, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { ModelFolderError } from './model-folder-error.ts';

/**
 * Finds a model's folder, or the ONNX file in one that was named: a path is taken as it is (relative to the working directory), a bare name is looked for in
 * `roots` in order.
 * @throws ModelFolderError naming the places tried and the models that are there
 */
export async function resolveModelFolder(nameOrPath: string, roots: readonly string[]): Promise<string> {
  const isPath = isAbsolute(nameOrPath) || nameOrPath.startsWith('.');
  const candidates = isPath
    ? [resolve(nameOrPath)]
    : [...roots.map((root) => resolve(root, nameOrPath)), resolve(nameOrPath)];
  for (const candidate of candidates) {
    if (await isModelPath(candidate)) {
      return candidate;
    }
  }
  for (const candidate of candidates) {
    if (!(await isFile(candidate))) continue;
    const isGguf = candidate.endsWith('.gguf');
    throw new ModelFolderError(nameOrPath, [
      {
        file: basename(candidate),
        problem: isGguf ? 'it is a GGUF, which is not served as it is' : 'it is a file that is no ONNX model',
        remedy: isGguf
          ? `make a model folder of it: npx millrace models import ${nameOrPath} ${nameOrPath.slice(0, -'.gguf'.length)}`
          : 'give the path of the model folder, or of one of its ONNX files',
      },
    ]);
  }
  const known = (await Promise.all(roots.map(foldersIn))).flat();
  throw new ModelFolderError(nameOrPath, [
    {
      file: basename(nameOrPath),
      problem: `there is no such folder; tried ${candidates.join(', ')}`,
      remedy: known.length > 0 ? `use one of ${known.join(', ')}, or a path` : 'give the path of a model folder',
    },
  ]);
}

async function isModelPath(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  return stats?.isDirectory() === true || (stats?.isFile() === true && path.endsWith('.onnx'));
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true;
}

async function foldersIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const models = await Promise.all(
    names.map(async (name) => (await stat(join(root, name, 'tokenizer.json')).catch(() => null)) && name),
  );
  return models.filter((name) => name !== null);
}
