/** Where config.json of models of several modalities keeps the language model's part; the first that is there counts. */
const NAMES = ['text_config', 'llm_config', 'language_config'] as const;
export type TextConfigName = (typeof NAMES)[number];

/** The language model's part of a config.json, null where it has none: all of it is the language model's then. */
export function textConfig<Part>(config: Readonly<Partial<Record<TextConfigName, Part>>>): Part | null {
  return NAMES.map((name) => config[name]).find((part) => part != null) ?? null;
}
