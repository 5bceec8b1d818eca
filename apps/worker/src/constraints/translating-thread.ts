/** Entry of the translating thread: makes grammars of constraints, so that the engine's thread need not stand still for it. */
import { constraintGrammar, flatGrammar, type HeldConstraint } from '#models/grammar';
import { serveTasks } from '#threads';
import type { Translation } from './translation.ts';

serveTasks((constraint: HeldConstraint): Translation => {
  try {
    return { grammar: flatGrammar(constraintGrammar(constraint)) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
});
