import type { AnswerLogprob } from '../../generate/answer-listener.ts';
import type { OutputEnd, OutputUsage } from '../../generate/output/output-listener.ts';
import type { AnsweredChoice, AnswerHeading } from '../dialect.ts';
import type { ArrayTexts } from './array-texts.ts';

/** The fields by which dialects that answer with `chat.completion` objects differ; each part is spread into its place. */
export interface ChatShape {
  /** Of a completion and of all chunks of a stream. */
  heading(heading: AnswerHeading): object;
  /** Of a complete choice's `message`. */
  message(choice: AnsweredChoice): object;
  /** `delta` of the chunk that begins a choice. */
  readonly firstDelta: object;
  /** Of a choice: where its log probabilities stand; null when there are none to tell. */
  logprobs(logprobs: readonly AnswerLogprob[] | ArrayTexts | null): object;
  /** Of a choice: how it ended; null in a chunk after which it goes on. */
  ending(end: OutputEnd | null): object;
  usage(usage: OutputUsage): object;
}
