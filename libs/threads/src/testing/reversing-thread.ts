/** Entry of a thread that answers with the text turned round and its own number, and does what it is told by some texts. */
import { threadId } from 'node:worker_threads';
import { serveTasks } from '../serve-tasks.ts';

export interface ReversedText {
  readonly text: string;
  readonly thread: number;
}

serveTasks((text: string): ReversedText => {
  while (text === 'hang');
  if (text === 'crash') throw new Error('as it was told');
  if (text === 'exit later') setImmediate(() => process.exit());
  return { text: [...text].reverse().join(''), thread: threadId };
});
