/**
 * Runs a decoder in ONNX Runtime, seen as slots of a KV cache (`ModelRunner` of #contracts). What concerns the process
 * as a whole has an entry of its own, `#model-runner/process`.
 *
 * @module
 * @example
 * import { openModelRunner } from '#model-runner';
 * const runner = await openModelRunner({
 *   modelFile: 'models/smollm2-135m-instruct/model.onnx',
 *   slots: 8, slotTokens: 2048, threads: 0, binding: 'auto', maxChunkTokens: 256,
 * });
 * await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
 * await runner.decode(1, Int32Array.of(argmax(runner.logits)), Int32Array.of(3));
 * await runner.close();
 */
export { ModelLoadError } from './model-load-error.ts';
export { openModelRunner } from './open-model-runner.ts';
export type { OpenModelRunnerOptions } from './open-model-runner-options.ts';
export { OrtLibraryError } from './ort/ort-library-error.ts';
export { probeGraphCapture } from './probe-graph-capture.ts';
export { probeProvider } from './probe-provider.ts';
export { ownProductBytes } from './products/own-product-bytes.ts';
export { productsHere } from './products/product-library.ts';
export { ProviderUnavailableError } from './provider-unavailable-error.ts';
export { RunFailedError } from './run-failed-error.ts';
export { RunInterruptedError } from './run-interrupted-error.ts';
export { RunnerArgumentError } from './runner-argument-error.ts';
export { capturable } from './signature/capturable.ts';
export { inspectModel } from './signature/inspect-model.ts';
export type { CachePair, ModelSignature, SideInput } from './signature/model-signature.ts';
