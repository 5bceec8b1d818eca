import { z } from 'zod';
import { UnsupportedTokenizerError } from './unsupported-tokenizer-error.ts';

const AddedTokenJson = z.looseObject({
  id: z.int().min(0),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().optional(),
  special: z.boolean().default(false),
});

/** A step of the normalizer, pre-tokenizer or decoder: `type` and what belongs to it, `Sequence` holding further steps. */
export type TokenizerStep = { readonly type: string } & Readonly<Record<string, unknown>>;
const Step = z.looseObject({ type: z.string() }).nullish();

const TokenizerJson = z.looseObject({
  added_tokens: z.array(AddedTokenJson).default([]),
  normalizer: Step,
  pre_tokenizer: Step,
  decoder: Step,
  model: z.looseObject({
    type: z.string().optional(),
    // A map in BPE, [piece, score] pairs in Unigram. Not walked by the schema: it has 10^5 entries.
    vocab: z.custom<Record<string, number> | [string, number][]>(
      (value) => typeof value === 'object' && value !== null,
    ),
  }),
});

/** The parts of Hugging Face's tokenizer.json that Millrace reads itself; the rest goes to the tokenizer library as it is. */
export type TokenizerJson = z.infer<typeof TokenizerJson>;
export type AddedTokenJson = z.infer<typeof AddedTokenJson>;

/** @throws UnsupportedTokenizerError when the text is not JSON or has not the shape of a tokenizer.json */
export function parseTokenizerJson(text: string): TokenizerJson {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UnsupportedTokenizerError(`it is not JSON (${error instanceof Error ? error.message : error})`, {
      cause: error,
    });
  }
  const parsed = TokenizerJson.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UnsupportedTokenizerError(`field ${issue?.path.join('.') || '(root)'}: ${issue?.message}`);
  }
  const wrong = wrongEntry(parsed.data.model.vocab);
  if (wrong !== null) throw new UnsupportedTokenizerError(`field model.vocab: ${wrong}`);
  return parsed.data;
}

/** What is wrong with a vocabulary, in words; null when nothing is. */
function wrongEntry(vocab: TokenizerJson['model']['vocab']): string | null {
  if (Array.isArray(vocab)) {
    const place = vocab.findIndex(
      (entry: unknown) => !Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number',
    );
    if (place >= 0) return `entry ${place} is ${JSON.stringify(vocab[place])}, it must be a piece and its score`;
    return null;
  }
  for (const piece of Object.keys(vocab)) {
    const id: unknown = vocab[piece];
    if (!Number.isSafeInteger(id) || Number(id) < 0)
      return `the id of ${JSON.stringify(piece)} is ${JSON.stringify(id)}, it must be a whole number of 0 or more`;
  }
  return null;
}

/** The steps of a normalizer, pre-tokenizer or decoder in order, nested sequences flattened. */
export function tokenizerSteps(root: unknown): TokenizerStep[] {
  const step = Step.safeParse(root).data;
  if (!step) {
    return [];
  }
  const children = [step.normalizers, step.pretokenizers, step.decoders].find(Array.isArray);
  return children ? children.flatMap(tokenizerSteps) : [step];
}

/** Every piece of the model's own vocabulary with its id, added tokens not included. */
export function* vocabularyEntries(json: TokenizerJson): Generator<readonly [piece: string, id: number]> {
  const { vocab } = json.model;
  if (Array.isArray(vocab)) {
    for (let id = 0; id < vocab.length; id++) {
      const entry = vocab[id];
      if (entry) {
        yield [entry[0], id];
      }
    }
  } else {
    for (const piece of Object.keys(vocab)) {
      const id = vocab[piece];
      if (id !== undefined) {
        yield [piece, id];
      }
    }
  }
}
