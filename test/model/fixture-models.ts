import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const FIXTURE_NAMES = ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3', 'tiny-mha'] as const;

export interface ReferencePrompt {
  promptIds: number[];
  generatedIds: number[];
  /** Which generated token's choice the logits belong to, and where they begin in `referenceLogits`. */
  logits?: { generatedIndex: number; offset: number }[];
}

export interface FixtureModel {
  name: string;
  modelFile: string;
  vocabularySize: number;
  prompts: ReferencePrompt[];
  referenceLogits: Float32Array;
}

/** A tiny decoder with what Hugging Face transformers computes with its weights (test/fixtures/models/README.md). */
export function fixtureModel(name: string): FixtureModel {
  const folder = new URL(`../fixtures/models/${name}/`, import.meta.url);
  const reference = JSON.parse(readFileSync(new URL('reference.json', folder), 'utf8'));
  const bytes = readFileSync(new URL(reference.logitsFile, folder));
  return {
    name,
    modelFile: fileURLToPath(new URL('model.onnx', folder)),
    vocabularySize: reference.vocabularySize,
    prompts: reference.prompts,
    referenceLogits: new Float32Array(Uint8Array.from(bytes).buffer),
  };
}
