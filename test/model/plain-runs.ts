import { inspectModel, type ModelSignature } from '#model-runner';
import type { SessionBinding, TensorData } from '../../libs/model-runner/src/binding/session-binding.ts';
import { changedModel } from '../../libs/model-runner/src/edits/changed-model.ts';
import { floatArray } from '../../libs/model-runner/src/element-type.ts';
import { openSession } from '../../libs/model-runner/src/open-session.ts';
import { bestToken } from './runner-driver.ts';

type Past = readonly TensorData[];

/**
 * ONNX Runtime's own runs of an export, one sequence at a time, to compare a runner with: no slots, no shared memory, no
 * chunks, no batch. Half-precision graphs go through the C API, which alone carries them.
 */
export class PlainRuns {
  readonly #session: SessionBinding;
  readonly #signature: ModelSignature;

  private constructor(session: SessionBinding, signature: ModelSignature) {
    this.#session = session;
    this.#signature = signature;
  }

  static async open(modelFile: string, embeddingFile: string | null = null): Promise<PlainRuns> {
    const signature = await inspectModel(modelFile, { embeddingFile });
    const session = await openSession({
      model: signature.edits.length === 0 ? modelFile : await changedModel(modelFile, signature.edits),
      binding: signature.cacheType === 'float32' ? 'js-api' : 'c-api',
      provider: 'cpu',
      inputNames: [
        'input_ids',
        ...signature.sideInputs.map(({ kind }) => kind),
        ...[...signature.cache, ...signature.states].map(({ past }) => past),
      ],
      outputNames: ['logits', ...[...signature.cache, ...signature.states].map(({ present }) => present)],
      threads: 1,
      spinUs: 0,
      onFallback: () => {},
    });
    return new PlainRuns(session, signature);
  }

  /** Greedy tokens, each computed from all those before it, with an empty past. */
  async withoutCache(promptIds: readonly number[], count: number): Promise<number[]> {
    const ids = [...promptIds];
    while (ids.length < promptIds.length + count)
      ids.push(bestToken((await this.#run(ids, this.#emptyPast(), 0)).logits));
    return ids.slice(promptIds.length);
  }

  /** Greedy tokens, the prompt in one run and each further token in one with the past that the last run gave. */
  async withCache(promptIds: readonly number[], count: number): Promise<number[]> {
    let step = await this.#run(promptIds, this.#emptyPast(), 0);
    const tokens = [bestToken(step.logits)];
    for (; tokens.length < count; tokens.push(bestToken(step.logits)))
      step = await this.#run([tokens.at(-1)!], step.present, promptIds.length + tokens.length - 1);
    return tokens;
  }

  close(): void | Promise<void> {
    return this.#session.close();
  }

  #emptyPast(): Past {
    const { cache, cacheType, states } = this.#signature;
    return [...cache.map(() => floatArray(cacheType, 0)), ...states.map(emptyState)];
  }

  async #run(ids: readonly number[], past: Past, pastTokens: number) {
    const { cache, states, cacheType, sideInputs, kvHeads, headSize, vocabularySize, logits } = this.#signature;
    const total = pastTokens + ids.length;
    const run = this.#session.newRun();
    const long = (values: readonly number[]) => BigInt64Array.from(values, BigInt);
    const inputs: (readonly [TensorData, readonly number[]])[] = [[long(ids), [1, ids.length]]];
    for (const input of sideInputs) {
      const { kind } = input;
      if (kind === 'attention_mask') inputs.push([new BigInt64Array(total).fill(1n), [1, total]]);
      else if (kind === 'position_ids') inputs.push([long(ids.map((_, i) => pastTokens + i)), [1, ids.length]]);
      else if (kind === 'seqlens_k') inputs.push([Int32Array.of(total - 1), [1]]);
      else if (kind === 'total_sequence_length') inputs.push([Int32Array.of(total), input.rank === 0 ? [] : [1]]);
      else throw new Error(`plain runs have no ${kind}`);
    }
    past.forEach((values, i) => {
      inputs.push([
        values,
        i < cache.length ? [1, kvHeads, pastTokens, headSize] : [1, ...states[i - cache.length]!.sizes],
      ]);
    });
    inputs.forEach(([data, dims], i) => {
      run.setInput(i, this.#session.tensor(data, dims));
    });
    const positions = logits.positions === 'last' ? 1 : ids.length;
    const outputs = floatArray(logits.type, positions * vocabularySize);
    run.setOutput(0, this.#session.tensor(outputs, [1, positions, vocabularySize]));
    const present = [...cache.map(() => floatArray(cacheType, kvHeads * total * headSize)), ...states.map(emptyState)];
    present.forEach((values, i) => {
      const dims = i < cache.length ? [1, kvHeads, total, headSize] : [1, ...states[i - cache.length]!.sizes];
      run.setOutput(1 + i, this.#session.tensor(values, dims));
    });
    await run.run();
    return { logits: Float32Array.from(outputs.subarray(-vocabularySize)), present };
  }
}

function emptyState({ type, sizes }: ModelSignature['states'][number]) {
  return floatArray(
    type,
    sizes.reduce((product, size) => product * size, 1),
  );
}
