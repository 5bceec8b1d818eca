import { describe, expect, it } from 'vitest';
import { inspectModel } from '#model-runner';
import { CApiSession } from '../../libs/model-runner/src/binding/c-api-session.ts';
import { changedModel } from '../../libs/model-runner/src/edits/changed-model.ts';
import { provenRunner } from '../../libs/model-runner/src/proven-runner.ts';
import { RunFailedError } from '../../libs/model-runner/src/run-failed-error.ts';
import { fixtureModel } from './fixture-models.ts';
import { bestToken, prefillInChunks } from './runner-driver.ts';

const SIZE = {
  slots: 3,
  slotTokens: 64,
  threads: 1,
  binding: 'c-api',
  maxChunkTokens: 32,
  kvMemory: 'device',
} as const;
const PROMPT = Array.from({ length: 20 }, (_, i) => 3 + i);
/** An output of the graphs that select candidates. */
const SELECTED = 'figures';

/** A session on the CPU provider's own allocator that counts what it holds there; its selections can fail. */
async function openCounted(modelFile: string, selects: boolean) {
  const signature = await inspectModel(modelFile);
  const { edits, sideInputs, cache } = signature;
  const session = new CApiSession({
    model: await changedModel(modelFile, edits),
    provider: 'cpu',
    inputNames: ['input_ids', ...sideInputs.map(({ kind }) => kind), ...cache.map(({ past }) => past)],
    outputNames: ['logits', ...cache.map(({ present }) => present)],
    threads: 1,
    spinUs: 0,
  });
  const held = { bytes: 0, graphs: 0 };
  const [allocate, openGraph] = [session.allocate.bind(session), session.openGraph.bind(session)];
  session.allocate = (bytes) => {
    const buffer = allocate(bytes);
    held.bytes += bytes;
    const free = () => {
      buffer.free();
      held.bytes -= bytes;
    };
    return { ...buffer, free };
  };
  session.openGraph = (...names) => {
    const graph = openGraph(...names);
    held.graphs += 1;
    const close = graph.close.bind(graph);
    graph.close = () => {
      held.graphs -= 1;
      return close();
    };
    const run = () => {
      throw new RunFailedError('no kernel');
    };
    if (!selects && names[2].includes(SELECTED)) graph.newRun = () => ({ setInput() {}, setOutput() {}, run });
    return graph;
  };
  const fallbacks: string[] = [];
  const onFallback = (reason: string) => fallbacks.push(reason);
  const runner = await provenRunner(session, signature, { ...SIZE, modelFile, onFallback, fallbacks });
  return { runner, held, fallbacks };
}

describe('a runner on a device', () => {
  it('has there what it works with, and nothing of what the tests of its start took', async () => {
    const { modelFile } = fixtureModel('tiny-llama');
    const right = await openCounted(modelFile, true);
    expect(right.runner.deviceLogits).not.toBeNull();
    const { slots, shape, description } = right.runner;
    const logitsBytes = slots * shape.vocabularySize * Float32Array.BYTES_PER_ELEMENT;
    expect(right.held.bytes).toBe(description.kvBytes + logitsBytes);

    const wrong = await openCounted(modelFile, false);
    expect(wrong.fallbacks).toEqual([expect.stringMatching(/logits come to the host whole.*no kernel/)]);
    expect(wrong.runner.deviceLogits).toBeNull();
    expect(wrong.held.bytes).toBe(description.kvBytes);
    // A slot is read and written; candidates are selected in two ways, and rows are taken.
    expect([wrong.held.graphs, right.held.graphs]).toEqual([2, 5]);

    const [expected, found] = [right.runner, wrong.runner].map((runner) => prefillInChunks(runner, 1, PROMPT, 7));
    expect(bestToken((await found)!)).toBe(bestToken((await expected)!));
    await right.runner.close();
    await wrong.runner.close();
  });
});
