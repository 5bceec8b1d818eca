import { CApiSession } from './binding/c-api-session.ts';
import type { BoundTensor } from './binding/session-binding.ts';
import { ONNX_FLOAT32 } from './element-type.ts';
import { smallGraph } from './runners/small-graph.ts';

const DIMS = [2];
/** The first is captured, the others replay it. */
const VALUES = [1, 2, 3];

/**
 * Has CUDA capture a graph of one operator and replay it with other values.
 * @throws ProviderUnavailableError, OrtLibraryError, RunFailedError; Error where a replay gives something else
 */
export function probeGraphCapture(): void {
  const session = sessionOf('Add', ['x', 'x']);
  try {
    const bytes = 2 * Float32Array.BYTES_PER_ELEMENT;
    const x = session.allocate(bytes).tensor('float32', DIMS);
    const y = session.allocate(bytes).tensor('float32', DIMS);
    const [given, sum] = [new Float32Array(2), new Float32Array(2)];
    const copy = (from: BoundTensor, to: BoundTensor) => {
      const { model, inputNames, outputNames } = graphOf('Identity', ['x']);
      const run = session.openGraph(model, inputNames, outputNames).newRun();
      run.setInput(0, from);
      run.setOutput(0, to);
      return run;
    };
    const [write, read] = [copy(session.tensor(given, DIMS), x), copy(y, session.tensor(sum, DIMS))];
    const add = session.newRun(1);
    add.setInput(0, x);
    add.setOutput(0, y);
    for (const value of VALUES) {
      given.set([value, 10 * value]);
      void write.run();
      add.run();
      void read.run();
      if (sum[0] !== 2 * value || sum[1] !== 20 * value)
        throw new Error(`a replayed graph computes ${value} + ${value} = ${sum[0]}`);
    }
  } finally {
    session.close();
  }
}

function graphOf(opType: string, input: readonly string[]) {
  const value = (name: string) => ({ name, elemType: ONNX_FLOAT32, dims: DIMS });
  return smallGraph({
    name: 'probe',
    nodes: [{ opType, input, output: ['y'] }],
    inputs: [value('x')],
    outputs: [value('y')],
  });
}

function sessionOf(opType: string, input: readonly string[]): CApiSession {
  const { model, inputNames, outputNames } = graphOf(opType, input);
  const capturing = { provider: 'cuda', capturesGraphs: true } as const;
  return new CApiSession({ model, inputNames, outputNames, ...capturing, threads: 1, spinUs: 0 });
}
