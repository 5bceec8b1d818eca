/** One request on its way through the simulated cluster. */
export interface SimulatedRequest {
  readonly arrivedMs: number;
  readonly contextTokens: number;
  readonly generatedTokens: number;
  /** When a worker took it first; null while it waits. */
  startedMs: number | null;
  /** When its first token came. */
  firstTokenMs: number | null;
  endedMs: number | null;
  /** Tokens delivered before its worker was stopped. */
  deliveredTokens: number;
}
