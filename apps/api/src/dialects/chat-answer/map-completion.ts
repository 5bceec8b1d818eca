import type { OutputUsage } from '../../generate/output/output-listener.ts';
import type { AnsweredChoice, AnswerHeading } from '../dialect.ts';
import type { ChatShape } from './chat-shape.ts';

/** A complete answer as a `chat.completion` of the given shape. */
export function mapCompletion(
  shape: ChatShape,
  heading: AnswerHeading,
  choices: readonly AnsweredChoice[],
  usage: OutputUsage,
): object {
  return {
    ...shape.heading(heading),
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', ...shape.message(choice) },
      ...shape.logprobs(choice.logprobs),
      ...(choice.tokenIds === null ? {} : { token_ids: choice.tokenIds }),
      ...shape.ending(choice.end),
    })),
    ...(heading.promptTokenIds === null ? {} : { prompt_token_ids: heading.promptTokenIds }),
    usage: shape.usage(usage),
  };
}
