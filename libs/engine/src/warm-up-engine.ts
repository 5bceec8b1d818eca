import type { ModelRunner } from '#contracts/ports';
import { Engine } from './engine.ts';
import type { EngineOptions } from './engine-options.ts';
import type { EngineRequest } from './engine-request.ts';

/** Few: what is wanted is that everything was run once, and a large model takes a tenth of a second for each of them. */
const PROMPT_TOKENS = 4;
const ANSWER_TOKENS = 3;
const TEMPERATURES = [0, 1];

/**
 * Answers two short requests, a greedy and a sampled one, on an engine that is thrown away: the engine that is made on the runner afterwards
 * finds code that was run and memory that is in use. Of the first one nothing stays but what its rows wrote into slots. A run that fails
 * does not keep a model from its start: the first request meets the same, and says so.
 */
export async function warmUpEngine(options: Omit<EngineOptions, 'constraints' | 'proposer'>): Promise<void> {
  const { runner } = options;
  // It is not closed, which would close the runner.
  const engine = new Engine(options);
  const rows = Math.min(runner.slots, TEMPERATURES.length);
  for (const temperature of TEMPERATURES.slice(0, rows)) engine.submit(requestFor(runner, temperature));
  await engine.runUntilIdle();
  for (let slot = 0; slot < rows; slot++) runner.trimSlot(slot, 0);
}

function requestFor({ slotTokens, shape: { vocabularySize } }: ModelRunner, temperature: number): EngineRequest {
  const promptTokens = Math.max(1, Math.min(PROMPT_TOKENS, slotTokens - ANSWER_TOKENS));
  return {
    requestId: `warm-up at temperature ${temperature}`,
    epoch: 1,
    promptTokenIds: Int32Array.from({ length: promptTokens }, (_, i) => (i * 7919 + 11) % vocabularySize),
    choices: 1,
    sampling: {
      ...{ temperature, topP: 0.9, topK: 0, minP: 0, logitBias: [], seed: 0 },
      ...{ presencePenalty: 0, frequencyPenalty: 0, repetitionPenalty: 1 },
    },
    stop: { tokenIds: [], strings: [], maxTokens: ANSWER_TOKENS },
    topLogprobs: null,
  };
}
