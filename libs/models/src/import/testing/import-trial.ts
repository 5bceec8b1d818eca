import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type ImportOptions, importGguf } from '../import-gguf.ts';
import { ModelImportError } from '../model-import-error.ts';
import { type EditableGguf, editGguf } from './edited-gguf.ts';

export const FIXTURES = fileURLToPath(new URL('../../../../../test/fixtures/', import.meta.url));
export const LLAMA = join(FIXTURES, 'gguf/llama-q4_1.gguf');
export const LLAMA_WITH_DIVISORS = join(FIXTURES, 'gguf/llama-f16.gguf');

/** A folder of its own for imports, and files made from the fixture. */
export class ImportTrial implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async begin(): Promise<ImportTrial> {
    return new ImportTrial(await mkdtemp(join(tmpdir(), 'millrace-import-')));
  }

  path(...names: string[]): string {
    return join(this.root, ...names);
  }

  /** The message with which an import is refused, which leaves nothing behind. */
  async problem(options: Partial<ImportOptions>): Promise<string> {
    const failure = await importGguf({ file: LLAMA, folder: this.path('out'), ...options }).catch((error) => error);
    expect(failure).toBeInstanceOf(ModelImportError);
    expect(await readdir(this.root)).not.toContain('out');
    expect((await readdir(this.root)).filter((name) => name.includes('unfinished'))).toEqual([]);
    return failure.message;
  }

  /** A copy of the fixture in which `from` is replaced by text of the same length. */
  async changed(from: string, to: string): Promise<string> {
    const bytes = await readFile(LLAMA);
    const at = bytes.indexOf(from);
    expect(at).toBeGreaterThan(0);
    bytes.write(to.padEnd(from.length).slice(0, from.length), at);
    const file = this.path('changed.gguf');
    await writeFile(file, bytes);
    return file;
  }

  edited(edit: (gguf: EditableGguf) => void, source = LLAMA): Promise<string> {
    return editGguf(source, this.path('edited.gguf'), edit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
