/** Entry of the translating thread: makes grammars of constraints, so that the engine's thread need not stand still for it. */
import { parentPort } from 'node:worker_threads';
import { constraintGrammar, flatGrammar } from '#models/grammar';
import type { TranslateMessage, TranslateReply } from './translate-message.ts';

function reply({ id, constraint }: TranslateMessage): TranslateReply {
  try {
    return { id, grammar: flatGrammar(constraintGrammar(constraint)) };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (message: TranslateMessage) => parentPort?.postMessage(reply(message)));
