/** What the translating thread answers to a constraint: its grammar in memory that threads share (`flatGrammar`), or why it has none. */
export type Translation = { readonly grammar: Int32Array } | { readonly problem: string };
