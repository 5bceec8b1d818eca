import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { GREEDY } from '#contracts';
import { Engine, type EngineRequest, LikelyTokens, type TokenProposer } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder, PromptRenderer } from '#models';
import { CollectedAnswers } from '../../libs/engine/src/testing/collected-answers.ts';
import { ScriptedProposer } from '../../libs/engine/src/testing/scripted-proposer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';

const SHIPPED = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
const TEXT =
  'The lighthouse at Cape Merrow was built in 1874 by the brothers Anselm and Otto Vreeland, who had come from the mainland with ' +
  'eleven masons and a mule named Harriet. The tower is thirty-one metres high and stands on a ledge of red granite.';

/** Prompt lookup on a machine whose runs always take the same. */
class EvenlyTimedProposer extends LikelyTokens {
  override decoded(): void {
    super.decoded(8);
  }

  override verified(tokens: number, pastTokens: number): void {
    super.verified(tokens, pastTokens, 7 + tokens);
  }
}

async function renderedPrompt(message: string): Promise<Int32Array> {
  const folder = await openModelFolder(SHIPPED);
  const renderer = PromptRenderer.fromCard(folder.card({ model: 'test', contextLength: 512 }));
  return renderer.render([{ role: 'user', content: message }]).tokenIds;
}

interface Subject {
  readonly name: string;
  readonly modelFile: string;
  readonly prompt: () => Promise<Int32Array>;
  readonly prefillParts: number;
  readonly tokens: number;
  /** Made with the tokens of each answer. */
  readonly proposer: (answers: ReadonlyMap<string, readonly number[]>) => TokenProposer;
}

/** What really comes next, but for every seventh token. */
const guesses: Subject['proposer'] = (answers) =>
  new ScriptedProposer(({ request, completionTokens }) => {
    const tokenIds = answers.get(request.input.requestId) ?? [];
    return tokenIds.map((tokenId, i) => (i % 7 === 3 ? (tokenId + 1) % 200 : tokenId)).slice(completionTokens);
  });

const MODELS: readonly Subject[] = [
  ...['tiny-llama', 'tiny-qwen2', 'tiny-mha'].map((name) => ({
    name,
    modelFile: fixtureModel(name).modelFile,
    prompt: async () => Int32Array.from(fixtureModel(name).prompts[0]!.promptIds),
    prefillParts: name === 'tiny-llama' ? 2 : 1,
    tokens: 100,
    proposer: guesses,
  })),
  {
    name: 'the shipped model, in parts, with a text to repeat,',
    modelFile: `${SHIPPED}/model.onnx`,
    prompt: () => renderedPrompt(`Repeat the following text word for word:\n\n${TEXT}`),
    prefillParts: 4,
    tokens: 55,
    proposer: () => new EvenlyTimedProposer(8),
  },
];

it.for(MODELS)('$name answers as it does without proposals, in fewer runs', async (model) => {
  const { modelFile, prefillParts, tokens } = model;
  const runner = await openModelRunner({
    modelFile,
    slots: 2,
    slotTokens: 256,
    threads: 0,
    binding: 'c-api',
    maxChunkTokens: 64,
    prefillParts,
    prefixCacheBytes: 8 << 20,
    verifyTokens: 9,
  });
  const promptTokenIds = await model.prompt();
  const request = (requestId: string, temperature: number): EngineRequest => ({
    requestId,
    epoch: 1,
    promptTokenIds,
    choices: 1,
    sampling: { ...GREEDY, temperature, seed: 3, topK: temperature === 0 ? 0 : 2 },
    stop: { tokenIds: [], strings: [], maxTokens: tokens },
    topLogprobs: 0,
  });
  const answers = async (proposer?: TokenProposer) => {
    const tokenTable = numberedTokenTable(runner.shape.vocabularySize);
    const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 64, proposer });
    const collected = new CollectedAnswers(engine);
    for (const [id, temperature] of [
      ['greedy', 0],
      ['drawn', 0.3],
      ['again', 0],
    ] as const) {
      engine.submit(request(id, temperature));
      await engine.runUntilIdle();
    }
    const logprobs = collected.outputs.flatMap(({ deltas }) =>
      deltas.filter(({ requestId }) => requestId === 'greedy').flatMap((delta) => delta.logprobs),
    );
    return { collected, stats: engine.stats(), logprobs };
  };
  const plain = await answers();
  const ids = ['greedy', 'drawn', 'again'];
  const expected = new Map(ids.map((id) => [id, plain.collected.answer(id).tokenIds]));
  const speculating = await answers(model.proposer(expected));
  for (const id of ids) expect(speculating.collected.answer(id).tokenIds).toEqual(expected.get(id));
  expect(speculating.collected.answer('again').tokenIds).toEqual(speculating.collected.answer('greedy').tokenIds);
  // Last bits differ, and what int8 activations make of them.
  expect(speculating.logprobs).toHaveLength(tokens);
  for (const [i, { logprob }] of speculating.logprobs.entries())
    expect(Math.abs(logprob - plain.logprobs[i]!.logprob)).toBeLessThan(0.5);
  const { decodeRunsTotal, verifyRunsTotal } = speculating.stats;
  expect(decodeRunsTotal + verifyRunsTotal).toBeLessThan(0.7 * plain.stats.decodeRunsTotal);
  await runner.close();
});
