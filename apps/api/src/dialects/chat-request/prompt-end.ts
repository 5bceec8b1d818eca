import { z } from 'zod';
import { MillraceError } from '#contracts';
import type { PromptEnd } from '../../rendering/prompt-source.ts';
import type { ChatMessageBody } from './chat-message-body.ts';

/** Where the prompt ends, as vLLM's clients say it. */
export const PROMPT_END_FIELDS = {
  continue_final_message: z
    .boolean()
    .nullish()
    .describe(
      'Extension. Default false. The answer goes on with the last message, of the role "assistant", instead of beginning a turn; it has what is new only.',
    ),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe(
      'Extension. Default true, with continue_final_message false. false: the prompt ends behind the last message, and no turn of the assistant’s is begun.',
    ),
};

/** The same as Mistral's and DeepSeek's clients say it, in an assistant's message. */
export const prefix = z
  .boolean()
  .nullish()
  .describe('Extension. Default false. true in the last message: the answer goes on with it; it has what is new only.');

interface PromptEndBody {
  readonly messages: readonly ChatMessageBody[];
  readonly continue_final_message?: boolean | null;
  readonly add_generation_prompt?: boolean | null;
}

/** @throws MillraceError invalid_request where the fields contradict each other, or the last message can not be gone on with */
export function promptEndOf({ messages, ...body }: PromptEndBody): PromptEnd {
  const last = messages.length - 1;
  const begins = messages.findIndex((message) => message.role === 'assistant' && message.prefix === true);
  if (begins >= 0 && begins !== last) {
    throw refusal(
      `messages[${begins}].prefix`,
      `is true, but that is not the last message. Remove it, or end with it.`,
    );
  }
  const { continue_final_message: continues, add_generation_prompt: opensTurn } = body;
  if (begins < 0 && !continues) return opensTurn === false ? 'after-message' : 'new-turn';
  const field = begins < 0 ? 'continue_final_message' : `messages[${last}].prefix`;
  if (begins >= 0 && continues === false) {
    throw refusal('continue_final_message', `is false, but ${field} is true. Send one of them.`);
  }
  if (opensTurn === true) {
    throw refusal('add_generation_prompt', `is true, but ${field} is true. Send false, or remove one of them.`);
  }
  requireContinuable(messages[last], `messages[${last}]`, field);
  return 'in-message';
}

function requireContinuable(message: ChatMessageBody | undefined, place: string, field: string): void {
  if (message?.role !== 'assistant') {
    throw refusal(
      field,
      `is true, but the last message has the role ${JSON.stringify(message?.role)}. End with the beginning of the answer, as a message of the role "assistant", or remove it.`,
    );
  }
  if ((message.tool_calls ?? []).length === 0) return;
  throw refusal(
    `${place}.tool_calls`,
    `stand behind the text that ${field} asks to go on with. Remove them, or ${field}.`,
  );
}

function refusal(param: string, problem: string): MillraceError {
  return new MillraceError('invalid_request', `${param} ${problem}`, { param });
}
