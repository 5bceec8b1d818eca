import onnxProto from 'onnx-proto';
import type { ExecutionProvider } from '#contracts';
import { CApiSession } from '../../libs/model-runner/src/binding/c-api-session.ts';
import { serveSide } from '../side.ts';

interface Settings {
  provider: ExecutionProvider;
}
interface CopyTask {
  runs: number;
}

/** More than any processor's cache holds, and what WebGPU lets one buffer have. */
const VALUES = 32 << 20;
const BYTES = VALUES * Float32Array.BYTES_PER_ELEMENT;
/** Passes of one run, so that what a run costs beside them does not count. */
const PASSES = 16;

/**
 * Bytes a second, in GB, at which the provider's device reads and writes its own memory: passes of one addition over 128 MiB, each of which
 * reads and writes all of it. One value of the last comes to the host, so that a run ends when they have.
 */
serveSide<Settings, CopyTask, number[]>(async ({ provider }) => {
  const session = new CApiSession({
    model: copyGraph(),
    provider,
    inputNames: ['pass.0'],
    outputNames: ['one'],
    threads: 0,
    spinUs: 100,
  });
  const run = session.newRun();
  const values = session.allocate(BYTES);
  run.setInput(0, values.tensor('float32', [VALUES]));
  run.setOutput(0, session.tensor(new Float32Array(1), [1]));
  return async ({ runs }) => {
    const rates: number[] = [];
    for (let round = 0; round <= runs; round++) {
      const begin = performance.now();
      run.run();
      const seconds = (performance.now() - begin) / 1_000;
      if (round > 0) rates.push((2 * PASSES * BYTES) / seconds / 1e9);
    }
    return rates;
  };
});

function copyGraph(): Uint8Array {
  const { onnx } = onnxProto;
  const { FLOAT, INT64 } = onnx.TensorProto.DataType;
  const value = (name: string, size: number) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimValue: size }] } } },
  });
  const passes = Array.from({ length: PASSES }, (_, pass) => ({
    opType: 'Add',
    input: [`pass.${pass}`, 'step'],
    output: [`pass.${pass + 1}`],
  }));
  const model = onnx.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'copy',
      node: [...passes, { opType: 'Gather', input: [`pass.${PASSES}`, 'first'], output: ['one'] }],
      input: [value('pass.0', VALUES)],
      output: [value('one', 1)],
      initializer: [
        { name: 'step', dataType: FLOAT, dims: [], floatData: [1] },
        { name: 'first', dataType: INT64, dims: [1], int64Data: [0] },
      ],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}
