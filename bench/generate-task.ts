/** Prompts of one length, answered greedily with `newTokens` tokens each, end marks ignored. */
export interface GenerateTask {
  prompts: number[][];
  newTokens: number;
  /** Asked of peers that have both ways: all prompts in one padded batch instead of a call for each, all called at once. */
  together?: boolean;
}

/** What a side made of it; times count from the submission of all prompts. */
export interface Generated {
  tokens: number[][];
  /** When the last prompt had its first token. */
  firstMs: number;
  endMs: number;
}
