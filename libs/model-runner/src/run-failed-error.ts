import { MillraceError } from '#contracts/ports';

/** ONNX Runtime refused or failed a forward pass; the message is its own. */
export class RunFailedError extends MillraceError {
  constructor(problem: string, options: { cause?: unknown } = {}) {
    super('engine_failed', `The forward pass failed in ONNX Runtime: ${problem}`, options);
  }
}
