import onnxProto from 'onnx-proto';
import type { ExecutionProvider } from '#contracts';
import { CApiSession } from './binding/c-api-session.ts';
import { ONNX_FLOAT32 } from './element-type.ts';

/**
 * Tries a provider on a graph of one operator: whether it loads, finds its device, and computes.
 * @throws ProviderUnavailableError, OrtLibraryError saying why it does not and what helps
 */
export function probeProvider(provider: ExecutionProvider): void {
  const value = (name: string) => ({
    name,
    type: { tensorType: { elemType: ONNX_FLOAT32, shape: { dim: [{ dimValue: 2 }] } } },
  });
  const model = onnxProto.onnx.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'probe',
      node: [{ opType: 'Add', input: ['x', 'x'], output: ['y'] }],
      input: [value('x')],
      output: [value('y')],
    },
  });
  const session = new CApiSession({
    model: onnxProto.onnx.ModelProto.encode(model).finish(),
    provider,
    inputNames: ['x'],
    outputNames: ['y'],
    threads: 1,
    spinUs: 0,
  });
  try {
    const sum = new Float32Array(2);
    const run = session.newRun();
    run.setInput(0, session.tensor(Float32Array.of(1, 2), [2]));
    run.setOutput(0, session.tensor(sum, [2]));
    void run.run();
    if (sum[0] !== 2 || sum[1] !== 4) throw new Error(`${provider} computes 1 + 1 = ${sum[0]} and 2 + 2 = ${sum[1]}`);
  } finally {
    session.close();
  }
}
