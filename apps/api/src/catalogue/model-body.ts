import { z } from 'zod';
import type { CataloguedModel } from './catalogued-model.ts';

/** OpenAI's model object, with what else a caller wants to know before a request. */
export const ModelBody = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int().describe('Unix time in seconds.'),
  owned_by: z.string(),
  context_length: z.int().describe('Most tokens of messages and answer together.'),
  live_workers: z.int(),
});
export type ModelBody = z.infer<typeof ModelBody>;

export const ModelListBody = z.object({ object: z.literal('list'), data: z.array(ModelBody) });
export type ModelListBody = z.infer<typeof ModelListBody>;

export function modelBody({ card, liveWorkers }: CataloguedModel): ModelBody {
  return {
    id: card.model,
    object: 'model',
    created: card.createdAt,
    owned_by: card.ownedBy,
    context_length: card.contextLength,
    live_workers: liveWorkers,
  };
}
