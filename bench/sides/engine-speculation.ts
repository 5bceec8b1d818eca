import { GREEDY, type OutputConstraint } from '#contracts';
import { Engine, LikelyTokens } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder, PromptRenderer } from '#models';
import { GrammarConstraints } from '#models/grammar';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread, with proposals and without, on one runner. */
interface Settings {
  modelFolder: string;
  slotTokens: number;
  speculationTokens: number;
}

interface Task {
  /** A chat's only message, through the model's template. */
  message: string;
  maxTokens: number;
  temperature: number;
  /** What the answer is held to; null for free text. */
  constraint: OutputConstraint | null;
  /** False to decode all of it. */
  speculating: boolean;
}

export interface SpokenAnswer {
  text: string;
  promptTokens: number;
  tokens: number;
  /** From its first token to its last. */
  ms: number;
  runs: number;
  proposed: number;
  accepted: number;
}

serveSide<Settings, Task, SpokenAnswer>(async ({ modelFolder, slotTokens, speculationTokens }) => {
  const folder = await openModelFolder(modelFolder);
  const renderer = PromptRenderer.fromCard(folder.card({ model: 'bench', contextLength: slotTokens }));
  const maxChunkTokens = 128;
  const runner = await openModelRunner({
    modelFile: folder.modelFile,
    slots: 1,
    slotTokens,
    threads: 0,
    maxChunkTokens,
    binding: 'c-api',
    prefillParts: 0,
    verifyTokens: 1 + speculationTokens,
  });
  if (runner.verification == null) throw new Error(`nothing is verified: ${runner.description.fallbacks.join('; ')}`);
  const tokenTable = folder.tokenTable();
  const constraints = new GrammarConstraints(tokenTable, runner.shape.vocabularySize);
  const options = { runner, tokenTable, prefillChunkTokens: maxChunkTokens, constraints };
  const plain = new Engine(options);
  const speculating = new Engine({ ...options, proposer: new LikelyTokens(speculationTokens) });
  let serial = 0;
  let answer = { text: '', tokens: 0, firstMs: 0, lastMs: 0 };
  for (const engine of [plain, speculating]) {
    engine.onStep(({ deltas, failed }) => {
      if (failed[0] !== undefined) throw new Error(failed[0].message);
      for (const { text, tokenIds } of deltas) {
        answer.text += text;
        answer.lastMs = performance.now();
        if (answer.tokens === 0) answer.firstMs = answer.lastMs;
        answer.tokens += tokenIds.length;
      }
    });
  }
  return async ({ message, maxTokens, temperature, constraint, speculating: speculates }) => {
    const engine = speculates ? speculating : plain;
    answer = { text: '', tokens: 0, firstMs: 0, lastMs: 0 };
    const before = engine.stats();
    const { tokenIds } = renderer.render([{ role: 'user', content: message }]);
    engine.submit({
      requestId: `bench-${serial++}`,
      epoch: 1,
      promptTokenIds: tokenIds,
      choices: 1,
      sampling: { ...GREEDY, temperature, seed: 1 },
      stop: { tokenIds: [...folder.eosTokenIds], strings: [], maxTokens },
      constraint,
      topLogprobs: null,
    });
    await engine.runUntilIdle();
    const after = engine.stats();
    return {
      text: answer.text,
      promptTokens: tokenIds.length,
      tokens: answer.tokens,
      ms: answer.lastMs - answer.firstMs,
      runs: after.decodeRunsTotal + after.verifyRunsTotal - before.decodeRunsTotal - before.verifyRunsTotal,
      proposed: after.proposedTokensTotal - before.proposedTokensTotal,
      accepted: after.acceptedTokensTotal - before.acceptedTokensTotal,
    };
  };
});
