import { basename, dirname } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { serveSide } from '../side.ts';

/**
 * transformers.js as its users call it, greedy: a `generate` for each prompt, all called at once, as requests come to a
 * server; or one `generate` for a padded batch of prompts that are all known before (`together`).
 */
serveSide(async ({ modelFolder }) => {
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(modelFolder)}/`;
  const model = await AutoModelForCausalLM.from_pretrained(basename(modelFolder), {
    dtype: 'fp32',
    device: 'cpu',
    subfolder: '',
    model_file_name: 'model',
  });
  const generate = async (prompts, newTokens) => {
    const length = prompts[0].length;
    const dims = [prompts.length, length];
    const stamps = [];
    const output = await model.generate({
      input_ids: new Tensor('int64', BigInt64Array.from(prompts.flat(), BigInt), dims),
      attention_mask: new Tensor('int64', new BigInt64Array(prompts.length * length).fill(1n), dims),
      max_new_tokens: newTokens,
      min_new_tokens: newTokens,
      do_sample: false,
      logits_processor: [stampSteps(stamps)],
    });
    const ids = Array.from(output.data, Number);
    const total = length + newTokens;
    return { tokens: prompts.map((_, row) => ids.slice(row * total + length, (row + 1) * total)), firstAt: stamps[0] };
  };
  return async ({ prompts, newTokens, together }) => {
    const begin = performance.now();
    const batches = together ? [prompts] : prompts.map((prompt) => [prompt]);
    const made = await Promise.all(batches.map((batch) => generate(batch, newTokens)));
    return {
      tokens: made.flatMap(({ tokens }) => tokens),
      firstMs: Math.max(...made.map(({ firstAt }) => firstAt)) - begin,
      endMs: performance.now() - begin,
    };
  };
});

/** A logits processor that changes nothing: streamers see single streams only, this sees every step of a batch. */
function stampSteps(stamps) {
  return (_inputIds, logits) => {
    stamps.push(performance.now());
    return logits;
  };
}
