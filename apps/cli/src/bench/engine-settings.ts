/** What of a worker's settings decides how fast a model is computed. */
export interface EngineSettings {
  readonly threads: number;
  /** Processors on which it runs; any when null. */
  readonly cpus: readonly number[] | null;
  /** How long an idle thread spins, in µs. */
  readonly spinUs: number;
  readonly prefillChunkTokens: number;
}
