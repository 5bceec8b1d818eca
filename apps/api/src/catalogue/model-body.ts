import { z } from 'zod';
import type { SamplingDefaults } from '#contracts';
import { answerFormatOf } from '#models';
import { effortsOf, REASONING_EFFORTS } from '../generate/reasoning-effort.ts';
import type { CataloguedModel } from './catalogued-model.ts';

const Capabilities = z.object({
  tools: z.boolean().describe('Every model can call tools: as its chat template shows them, or by a prompt of ours.'),
  tool_format: z
    .string()
    .describe('The form in which it writes calls; `generic` is the one that the prompt of ours teaches.'),
  json_object: z.boolean(),
  json_schema: z.boolean(),
  reasoning: z.boolean().describe('Whether it thinks before it answers, which is told as `reasoning_content`.'),
  reasoning_efforts: z.array(z.enum(REASONING_EFFORTS)).describe('What `reasoning_effort` may be.'),
  chat_template_kwargs: z.array(z.string()).describe('Names that `chat_template_kwargs` may set.'),
  logprobs: z.boolean(),
});

const DefaultParameters = z
  .object({
    temperature: z.number(),
    top_p: z.number(),
    top_k: z.int().describe('0: all tokens.'),
    min_p: z.number(),
    repetition_penalty: z.number(),
  })
  .partial()
  .describe(
    'What requests get that do not say, where the model’s makers recommend something and a route has no default of its own.',
  );

/** OpenAI's model object, with what else a caller wants to know before a request. */
export const ModelBody = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int().describe('Unix time in seconds: since when this cluster has the model.'),
  owned_by: z.string(),
  context_length: z.int().describe('Most tokens of messages and answer together.'),
  capabilities: Capabilities,
  default_parameters: DefaultParameters,
  live_workers: z.int().describe('Live replicas of the model: workers that take requests for it now.'),
  live_slots: z.int().describe('Requests that these can answer at once.'),
});
export type ModelBody = z.infer<typeof ModelBody>;

export const ModelListBody = z.object({ object: z.literal('list'), data: z.array(ModelBody) });
export type ModelListBody = z.infer<typeof ModelListBody>;

export function modelBody({ card, traits, servedSince, liveWorkers, liveSlots }: CataloguedModel): ModelBody {
  return {
    id: card.model,
    object: 'model',
    created: card.createdAt === 0 ? servedSince : card.createdAt,
    owned_by: card.ownedBy,
    context_length: card.contextLength,
    capabilities: {
      tools: true,
      tool_format: answerFormatOf(card, traits).name,
      json_object: true,
      json_schema: true,
      reasoning: traits.reasoning !== null,
      reasoning_efforts: [...effortsOf(traits.reasoning)],
      chat_template_kwargs: [...traits.variables],
      logprobs: true,
    },
    default_parameters: defaultParameters(card.samplingDefaults ?? {}),
    live_workers: liveWorkers,
    live_slots: liveSlots,
  };
}

function defaultParameters(recommended: SamplingDefaults): z.infer<typeof DefaultParameters> {
  const { temperature, topP, topK, minP, repetitionPenalty } = recommended;
  return {
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(topK !== undefined && { top_k: topK }),
    ...(minP !== undefined && { min_p: minP }),
    ...(repetitionPenalty !== undefined && { repetition_penalty: repetitionPenalty }),
  };
}
