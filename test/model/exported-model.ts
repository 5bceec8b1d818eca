import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const EXPORTS = new URL('../fixtures/exports/', import.meta.url);

export interface ExportReference {
  readonly vocabularySize: number;
  readonly prompts: readonly {
    readonly promptIds: readonly number[];
    readonly generatedIds: readonly number[];
    readonly logits: readonly { readonly generatedIndex: number; readonly values: Float32Array }[];
  }[];
}

/** Path of an export, made by the tools that people export with (test/fixtures/exports/README.md). */
export function exportedModel(path: string): string {
  return fileURLToPath(new URL(path, EXPORTS));
}

/** What transformers computes with a family's weights, which all its exports share. */
export function exportReference(family: string): ExportReference {
  const json = JSON.parse(readFileSync(new URL(`references/${family}.json`, EXPORTS), 'utf8'));
  for (const prompt of json.prompts)
    for (const entry of prompt.logits)
      entry.values = new Float32Array(Uint8Array.from(Buffer.from(entry.values, 'base64')).buffer);
  return json;
}
