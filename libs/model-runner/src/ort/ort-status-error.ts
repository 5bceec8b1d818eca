/** A status other than OK from an ONNX Runtime call, before it is mapped to what it means for the caller. */
export class OrtStatusError extends Error {
  readonly call: string;

  constructor(call: string, message: string) {
    super(message);
    this.name = 'OrtStatusError';
    this.call = call;
  }
}

/** ONNX Runtime has no status code of its own for a run that was stopped; this part of its text is old and stable. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.message.includes('terminate flag');
}
