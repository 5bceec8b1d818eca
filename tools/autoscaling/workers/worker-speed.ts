/** How fast a worker is: what the simulation needs of model and machine. */
export interface WorkerSpeed {
  readonly slots: number;
  readonly prefillTokensPerS: number;
  readonly prefillChunkTokens: number;
  /** A step of the engine takes this, and */
  readonly stepMs: number;
  /** this for each sequence that decodes in it. */
  readonly stepMsPerSequence: number;
}

/** Time of one engine step with `decoding` sequences and a chunk of `prefillTokens` of another one. */
export function stepMs(speed: WorkerSpeed, decoding: number, prefillTokens: number): number {
  const decodeMs = decoding === 0 ? 0 : speed.stepMs + speed.stepMsPerSequence * decoding;
  return decodeMs + (prefillTokens / speed.prefillTokensPerS) * 1_000;
}
