import { z } from 'zod';

/** What becomes known of an answer, as it comes. */
export type AnswerPart =
  /** It waits for a worker; null where the API does not say at which place, or for how long. */
  | { readonly kind: 'queued'; readonly position: number | null; readonly waitMs: number | null }
  /** A worker computes the prompt. */
  | { readonly kind: 'prefill' }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'content'; readonly text: string }
  | { readonly kind: 'finish'; readonly reason: string }
  | {
      readonly kind: 'usage';
      readonly promptTokens: number;
      /** Of these, how many were not computed anew; null where it is not told. */
      readonly cachedTokens: number | null;
      readonly completionTokens: number;
    };

/** A chunk of `/v1/chat/completions`, as far as it is read here. */
const Chunk = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), reasoning_content: z.string().nullish() }),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: z
    .object({
      prompt_tokens: z.int(),
      completion_tokens: z.int(),
      prompt_tokens_details: z.object({ cached_tokens: z.int() }).nullish(),
    })
    .nullish(),
});

/** The parts that an event's data tells. @throws ZodError when it is no chunk, SyntaxError when no JSON */
export function partsOfEvent(data: string): AnswerPart[] {
  const { choices, usage } = Chunk.parse(JSON.parse(data));
  const parts: AnswerPart[] = [];
  for (const { delta, finish_reason: reason } of choices) {
    if (delta.reasoning_content) parts.push({ kind: 'reasoning', text: delta.reasoning_content });
    if (delta.content) parts.push({ kind: 'content', text: delta.content });
    if (reason) parts.push({ kind: 'finish', reason });
  }
  if (usage) {
    parts.push({
      kind: 'usage',
      promptTokens: usage.prompt_tokens,
      cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? null,
      completionTokens: usage.completion_tokens,
    });
  }
  return parts;
}

/** What a comment tells, such as `queued position=3 eta_ms=1200`; null for those that only fill silence. */
export function partOfComment(comment: string): AnswerPart | null {
  const [word, ...facts] = comment.trim().split(/\s+/);
  if (word === 'prefill') return { kind: 'prefill' };
  if (word !== 'queued') return null;
  const told = new Map(facts.map((fact) => fact.split('=', 2) as [string, string]));
  const number = (name: string) => (told.has(name) ? Number(told.get(name)) : null);
  return { kind: 'queued', position: number('position'), waitMs: number('eta_ms') };
}
