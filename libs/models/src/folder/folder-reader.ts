import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { z } from 'zod';
import { externalDataOf } from './external-data.ts';
import type { ModelFolderProblem } from './model-folder-error.ts';

const FETCH_AGAIN = 'copy the file into the folder again, from where the model came from';

/** Reads a model folder's files and notes every problem instead of stopping at the first. */
export class FolderReader {
  readonly folder: string;
  readonly problems: ModelFolderProblem[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  note(file: string, problem: string, remedy: string = FETCH_AGAIN): void {
    this.problems.push({ file, problem, remedy });
  }

  /** The text of a file, null when it is missing; a missing `required` file is a problem. */
  async text(file: string, required: boolean): Promise<string | null> {
    try {
      return await readFile(join(this.folder, file), 'utf8');
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (required || !missing) {
        this.note(
          file,
          missing ? 'it is missing' : `it cannot be read (${error instanceof Error ? error.message : error})`,
        );
      }
      return null;
    }
  }

  async json<Schema extends z.ZodType>(
    file: string,
    schema: Schema,
    required: boolean,
  ): Promise<z.output<Schema> | null> {
    const text = await this.text(file, required);
    if (text === null) {
      return null;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.note(file, `it is not JSON (${error instanceof Error ? error.message : error})`);
      return null;
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) {
        this.note(file, `field ${issue.path.join('.') || '(root)'}: ${issue.message}`, 'correct the field');
      }
      return null;
    }
    return parsed.data;
  }

  /** The first of these files that is there, null when none is. */
  async firstOf(files: readonly string[]): Promise<string | null> {
    for (const file of files) {
      if ((await this.#bytes(file)) !== null) {
        return file;
      }
    }
    return null;
  }

  /** Checks that a model file is whole and that all files of weights which it names are there in full length. */
  async checkWeights(modelFile: string): Promise<void> {
    let pieces: Awaited<ReturnType<typeof externalDataOf>>;
    try {
      pieces = await externalDataOf(join(this.folder, modelFile));
    } catch (error) {
      this.note(modelFile, `it is not a whole ONNX model (${error instanceof Error ? error.message : error})`);
      return;
    }
    for (const { location, bytes } of pieces) {
      const file = normalize(join(dirname(modelFile), location));
      if (isAbsolute(location) || file.startsWith('..')) {
        this.note(
          modelFile,
          `it names weights outside the folder: ${location}`,
          'export the model with weights beside it',
        );
        continue;
      }
      const present = await this.#bytes(file);
      if (present === null) {
        this.note(file, `it is missing; ${modelFile} reads ${bytes} bytes of weights from it`);
      } else if (present < bytes) {
        this.note(file, `it has ${present} bytes, but ${modelFile} reads ${bytes} bytes of weights from it`);
      }
    }
  }

  async #bytes(file: string): Promise<number | null> {
    const stats = await stat(join(this.folder, file)).catch(() => null);
    return stats?.isFile() ? stats.size : null;
  }
}
