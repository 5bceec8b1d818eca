import { z } from 'zod';
import { type TextConfigName, textConfig } from '#contracts';
import { TOOL_TEMPLATE, withToolTemplate } from './named-templates.ts';
import { SAMPLING_FIELDS } from './sampling-config.ts';

const TokenIds = z
  .union([z.int().min(0), z.array(z.int().min(0))])
  .nullish()
  .transform((ids) => (ids === null || ids === undefined ? [] : [ids].flat()));

const Sizes = z.looseObject({
  model_type: z.string().nullish(),
  vocab_size: z.int().min(1).nullish(),
  max_position_embeddings: z.int().min(1).nullish(),
  eos_token_id: TokenIds,
});

const TextSizes = Sizes.nullish();
/** config.json; what models of several modalities say of the language model is `text_config` here, whatever its name. */
export const ConfigJson = Sizes.extend({
  text_config: TextSizes,
  llm_config: TextSizes,
  language_config: TextSizes,
} satisfies Record<TextConfigName, typeof TextSizes>).transform((config) => ({
  ...config,
  text_config: textConfig(config),
}));
export type ConfigJson = z.infer<typeof ConfigJson>;

export const GenerationConfigJson = z.looseObject({ eos_token_id: TokenIds, ...SAMPLING_FIELDS });
export type GenerationConfigJson = z.infer<typeof GenerationConfigJson>;

const GraphFile = z.looseObject({ filename: z.string().nullish() }).nullish();

/** genai_config.json, as onnxruntime-genai's builder writes it. */
export const GenaiConfigJson = z.looseObject({
  model: z.looseObject({
    type: z.string().nullish(),
    vocab_size: z.int().min(1).nullish(),
    context_length: z.int().min(1).nullish(),
    eos_token_id: TokenIds,
    decoder: GraphFile,
    embedding: GraphFile,
  }),
});
export type GenaiConfigJson = z.infer<typeof GenaiConfigJson>;

const TokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const NamedTemplates = z.array(z.looseObject({ name: z.string(), template: z.string() }));

/** tokenizer_config.json: which tokens have which part, and in older models the chat template. */
export const TokenizerConfigJson = z
  .looseObject({ chat_template: z.union([z.string(), NamedTemplates]).nullish() })
  .transform((json) => ({
    chatTemplate: chooseTemplate(json.chat_template ?? null),
    /** Every `…_token` with a value: `bos_token`, `eos_token`, … */
    tokens: Object.fromEntries(
      Object.entries(json).flatMap(([name, value]) => {
        const text = name.endsWith('_token') ? TokenText.safeParse(value) : null;
        return text?.success ? [[name, text.data] as const] : [];
      }),
    ),
  }));
export type TokenizerConfigJson = z.infer<typeof TokenizerConfigJson>;

/** chat_template.json, and processor_config.json, where models that see or hear have their template. */
export const ProcessorJson = z
  .looseObject({ chat_template: z.union([z.string(), NamedTemplates]).nullish() })
  .transform(({ chat_template }) => chooseTemplate(chat_template ?? null));

/** What of the configuration files the rest of Millrace uses. */
export interface ModelConfig {
  /** Architecture, as `config.json` names it: `llama`, `qwen3`, … */
  readonly modelType: string;
  readonly vocabularySize: number;
  /** Longest sequence the model was trained for, in tokens; null when no file says. */
  readonly maxPositions: number | null;
}

/** The config of the first source that has each value; null when no file gives the vocabulary's size. */
export function modelConfig(config: ConfigJson | null, genai: GenaiConfigJson | null): ModelConfig | null {
  const vocabularySize = config?.vocab_size ?? config?.text_config?.vocab_size ?? genai?.model.vocab_size;
  if (vocabularySize == null) {
    return null;
  }
  return {
    modelType: config?.model_type ?? genai?.model.type ?? 'unknown',
    vocabularySize,
    maxPositions:
      config?.max_position_embeddings ??
      config?.text_config?.max_position_embeddings ??
      genai?.model.context_length ??
      null,
  };
}

/** Of several named templates the one called `default`, else the first, with that for tools. */
function chooseTemplate(template: string | z.infer<typeof NamedTemplates> | null): string | null {
  if (typeof template === 'string' || template === null) {
    return template;
  }
  const named = (wanted: string) => template.find(({ name }) => name === wanted)?.template;
  const plain = named('default') ?? template[0]?.template;
  return plain === undefined ? null : withToolTemplate(plain, named(TOOL_TEMPLATE));
}
