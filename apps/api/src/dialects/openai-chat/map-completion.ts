import type { AnswerUsage } from '../../generate/answer-listener.ts';
import type { AnsweredChoice, AnswerHeading } from '../dialect.ts';
import type { CompletionBody } from './completion-body.ts';
import { mapHeading, mapLogprobs, mapUsage } from './map-parts.ts';

/** A complete answer as OpenAI's `chat.completion`. */
export function mapCompletion(
  heading: AnswerHeading,
  choices: readonly AnsweredChoice[],
  usage: AnswerUsage,
): CompletionBody {
  return {
    ...mapHeading(heading),
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: choice.text, refusal: null },
      logprobs: choice.logprobs === null ? null : mapLogprobs(choice.logprobs),
      finish_reason: choice.finishReason,
    })),
    usage: mapUsage(usage),
  };
}
