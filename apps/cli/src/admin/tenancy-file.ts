import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { StartError } from '../start-error.ts';

/** A document of tenants, as JSON or YAML, of which JSON is a part. @throws StartError naming the file */
export function readDocument(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new StartError(`${file} can not be read as YAML or JSON: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** Readable by its owner only: hashes of keys are no secret, but whose they are may be. */
export function writeDocument(file: string, document: unknown): void {
  const text = /\.ya?ml$/i.test(file) ? stringify(document) : `${JSON.stringify(document, null, 2)}\n`;
  writeFileSync(file, text, { mode: 0o600 });
}
