import type { CpuChoices, CpuProducts, ExecutionProvider, TokenTable } from '#contracts';

/** What the engine's thread is started with; plain data that can be posted. */
export interface EngineThreadData {
  readonly modelFile: string;
  /** Of an export in two graphs the one from tokens to embeddings. */
  readonly embeddingFile: string | null;
  readonly slots: number;
  /** The runner's, one more than sequences may be parked. */
  readonly parkingSlots: number;
  /** Capacity of a slot, prompt and answer together. */
  readonly slotTokens: number;
  /** Memory for the keys and values of all sequences; 0 for as much as the slots can hold. */
  readonly kvBytes: number;
  /** Memory for computed beginnings of prompts; 0 for none. */
  readonly prefixCacheBytes: number;
  readonly prefillChunkTokens: number;
  readonly decodeStretch: number;
  /** Parts in which a chunk of a prompt may be computed; 0 for as many as suit the model, 1 for whole ones. */
  readonly prefillParts: number;
  /** Most tokens proposed at a time for an answer that runs alone, 0 for none; `auto` for some where that changes no bit. */
  readonly speculationTokens: number | 'auto';
  readonly replayLimitTokens: number;
  readonly threads: number;
  /** Processors on which the thread and those of its forward passes run; any when null. */
  readonly cpus: readonly number[] | null;
  /** How long an idle thread of a forward pass spins before it sleeps. */
  readonly spinUs: number;
  /** In the order in which they are tried. */
  readonly providers: readonly ExecutionProvider[];
  /** Decode runs of up to so many sequences are captured as CUDA graphs; 0 for none. */
  readonly capturedRows: number;
  /** Who multiplies on the CPU, as `openModelRunner` has it. */
  readonly products: CpuProducts;
  /** What keys and values are kept as, likewise. */
  readonly kvType: CpuChoices['kvType'];
  readonly binding: 'auto' | 'c-api' | 'js-api';
  readonly tokenTable: TokenTable;
}
