import { seededRandom } from './seeded-random.ts';
import { BLOCK_TOKENS, type TracedRequest } from './trace/traced-request.ts';

/** Most of them are one token of most models. */
export const WORDS =
  'time water people work river light place house world story music paper table night money part'.split(' ');

/** What a prompt of `WORDS` has in tokens. */
export interface PromptRate {
  readonly tokensPerWord: number;
  /** Of the chat template and the marks around the words. */
  readonly templateTokens: number;
}

/** Two lengths that tell the rate: each word is as frequent as the others. */
const ROUNDS = [1, 2] as const;

/** @param promptTokensOf how many tokens the prompt of a message has */
export async function promptRate(promptTokensOf: (content: string) => Promise<number>): Promise<PromptRate> {
  const [few, many] = await Promise.all(
    ROUNDS.map((rounds) => promptTokensOf(Array.from({ length: rounds }, () => WORDS.join(' ')).join(' '))),
  );
  const tokensPerWord = ((many ?? 0) - (few ?? 0)) / WORDS.length;
  return { tokensPerWord, templateTokens: (few ?? 0) - tokensPerWord * WORDS.length };
}

/** So many words by chance. */
export const wordsOf = (count: number, random: () => number): string[] =>
  Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)] ?? '');

/** How many words make a prompt of so many tokens. */
export const wordCount = (promptTokens: number, { tokensPerWord, templateTokens }: PromptRate): number =>
  Math.max(1, Math.round((promptTokens - templateTokens) / tokensPerWord));

export interface PromptWriterOptions {
  readonly rate: PromptRate;
  /** Other texts for another seed, also of shared blocks. */
  readonly seed: number;
  /** What lengths of the trace are multiplied with, and so those of its blocks. */
  readonly scale: number;
}

/** Writes prompts of given lengths that share with each other what the trace says they did, and nothing else. */
export class PromptWriter {
  readonly #options: PromptWriterOptions;

  constructor(options: PromptWriterOptions) {
    this.#options = options;
  }

  /** @param index of the request: its own part is text that no other has */
  write({ promptTokens, blocks }: Pick<TracedRequest, 'promptTokens' | 'blocks'>, index: number): string {
    const { rate, scale } = this.#options;
    const count = wordCount(promptTokens, rate);
    const words: string[] = [];
    for (const [place, block] of blocks.entries()) {
      const upTo = Math.min(count, Math.round(((place + 1) * BLOCK_TOKENS * scale) / rate.tokensPerWord));
      words.push(...wordsOf(upTo - words.length, this.#randomOf(2 * block)));
    }
    return [...words, ...wordsOf(count - words.length, this.#randomOf(2 * index + 1))].join(' ');
  }

  #randomOf(text: number): () => number {
    return seededRandom(Math.imul(this.#options.seed, 0x9e3779b1) ^ Math.imul(text + 1, 0x85ebca6b));
  }
}
