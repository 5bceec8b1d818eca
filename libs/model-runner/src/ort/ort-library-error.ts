/** ONNX Runtime's own library cannot be used through its C API on this machine; the JS API may still work. */
export class OrtLibraryError extends Error {
  readonly code = 'ort_library';

  constructor(problem: string, options: { cause?: unknown } = {}) {
    super(problem, options);
    this.name = 'OrtLibraryError';
  }
}
