import type { GgufValue } from './gguf/gguf-header.ts';
import { MetadataFields } from './gguf/metadata-fields.ts';

/** llama.cpp's names of what generation_config.json calls otherwise; its other samplers have no field there. */
const FIELDS = {
  temperature: 'general.sampling.temp',
  top_k: 'general.sampling.top_k',
  top_p: 'general.sampling.top_p',
  min_p: 'general.sampling.min_p',
  repetition_penalty: 'general.sampling.penalty_repeat',
};

/** Digits that a float32 holds for sure: 0.6 is written as 0.6 again, and not as 0.6000000238418579. */
const FLOAT32_DIGITS = 6;

/**
 * What a GGUF's makers recommend for sampling, as fields of generation_config.json.
 * @throws ModelImportError naming a field that is no number
 */
export function samplingFields(path: string, metadata: ReadonlyMap<string, GgufValue>): Record<string, number> {
  const fields = new MetadataFields(path, metadata);
  const there = Object.entries(FIELDS).filter(([, field]) => fields.has(field));
  return Object.fromEntries(
    there.map(([name, field]) => [name, Number(fields.number(field).toPrecision(FLOAT32_DIGITS))]),
  );
}
