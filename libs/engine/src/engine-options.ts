import type { ModelRunner, TokenTable } from '#contracts';
import type { TokenConstraints } from './constraints/token-constraint.ts';
import type { TokenProposer } from './speculation/token-proposer.ts';

export interface EngineOptions {
  /** Owned by the engine from here on: `close` closes it. */
  readonly runner: ModelRunner;
  readonly tokenTable: TokenTable;
  /** Most prompt tokens computed between two decode runs, and the largest chunk of a prompt; 3 or more. */
  readonly prefillChunkTokens: number;
  /**
   * Most tokens of a resumed choice that are decoded anew, which gives the same bits; more are prefilled, which is
   * quicker and may differ in the last bits. 16,384 by default; 0 on runners that are invariant to runs, whose prompts have the same bits.
   */
  readonly replayLimitTokens?: number;
  /**
   * How many times as long as a decode run an answer's next token may take while prompts are computed: chunks become smaller
   * for it, by measured times. 0, the default, computes chunks of `prefillChunkTokens` always.
   */
  readonly decodeStretch?: number;
  /** Milliseconds of prompts' runs between two decode runs that are allowed in any case; 8 by default. */
  readonly leastPrefillMs?: number;
  /**
   * Most tokens whose keys and values are in memory at a time, of all sequences; as many as the slots hold when left out. With
   * runners that took all memory at the start it changes nothing.
   */
  readonly kvTokens?: number;
  /**
   * Least milliseconds between two outputs of which nothing is urgent (first tokens, ends, failures), where decode runs are quicker. 0, the
   * default, publishes each step's.
   */
  readonly publishIntervalMs?: number;
  /** Without it, requests with a constraint are refused. */
  readonly constraints?: TokenConstraints;
  /**
   * What it proposes for an answer that runs alone is verified, several tokens in one run, where the runner can (`verification`). The tokens then
   * are those that a prompt's run of them gives, whose last bits differ from decode runs' unless the runner is invariant to runs. Without it
   * none are.
   */
  readonly proposer?: TokenProposer | undefined;
}
