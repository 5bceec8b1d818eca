import type { AnswerListener } from '../answer-listener.ts';

/** For an answer that nobody here reads: who follows it reads what is kept of it. */
export const SILENT_LISTENER: AnswerListener = {
  started: () => {},
  text: () => {},
  choiceFinished: () => {},
  ended: () => {},
  failed: () => {},
};
