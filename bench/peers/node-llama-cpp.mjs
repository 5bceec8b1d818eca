import { availableParallelism } from 'node:os';
import { getLlama } from 'node-llama-cpp';
import { serveSide } from '../side.ts';

/** node-llama-cpp as its users call it: a sequence for each stream, evaluated at once; the library batches them. */
serveSide(async ({ ggufFile, streams, contextTokens }) => {
  const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false });
  const model = await llama.loadModel({ modelPath: ggufFile, gpuLayers: 0 });
  const context = await model.createContext({
    sequences: streams,
    contextSize: contextTokens,
    batchSize: 512,
    threads: availableParallelism(),
  });
  const sequences = Array.from({ length: streams }, () => context.getSequence());
  return async ({ prompts, newTokens }) => {
    for (const sequence of sequences) await sequence.clearHistory();
    const begin = performance.now();
    const answers = await Promise.all(
      prompts.map(async (prompt, row) => {
        const tokens = [];
        let firstMs;
        for await (const token of sequences[row].evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
          firstMs ??= performance.now() - begin;
          tokens.push(token);
          if (tokens.length === newTokens) break;
        }
        return { tokens, firstMs };
      }),
    );
    return {
      tokens: answers.map((answer) => answer.tokens),
      firstMs: Math.max(...answers.map((answer) => answer.firstMs)),
      endMs: performance.now() - begin,
    };
  };
});
