import type { HeldConstraint } from '#models/grammar';

/** What the translating thread is asked. */
export interface TranslateMessage {
  readonly id: number;
  readonly constraint: HeldConstraint;
}

/** Its answer: the grammar in memory that threads share (`flatGrammar`), or why there is none. */
export type TranslateReply =
  | { readonly id: number; readonly grammar: Int32Array }
  | { readonly id: number; readonly problem: string };
