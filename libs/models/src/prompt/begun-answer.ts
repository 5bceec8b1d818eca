import type { OutputFormat } from '../output-formats/output-format.ts';
import { OutputParser, reasoningStart } from '../output-formats/output-parser.ts';
import type { ChatMessage } from './chat-message.ts';
import { ContinuedMessage } from './continued-message.ts';
import type { PromptRenderer, RenderOptions } from './prompt-renderer.ts';
import { TemplateError } from './template-error.ts';

/** What a prompt that ends in its last message has of the answer. */
export interface BegunAnswer {
  /** Whether the answer, from its beginning, is inside a reasoning block. */
  readonly reasoning: 'marked' | 'opened';
  /** With what the template wrote before the message's text: a whole block of reasoning, or the head of a channel. */
  readonly begun: string;
}

/**
 * Finds the beginning of the answer in a prompt that ends in its last message: what is there behind the opening of a turn, as the
 * template writes it for an answer that is not begun. Templates that open reasoning for those alone write the rest of it.
 */
export function begunAnswer(
  renderer: PromptRenderer,
  messages: readonly ChatMessage[],
  options: RenderOptions,
  promptText: string,
  format: OutputFormat,
): BegunAnswer {
  const { field, text } = new ContinuedMessage(messages);
  const found = behindOpening(openedTurn(renderer, messages.slice(0, -1), options), promptText, format);
  // A turn that is written otherwise when it is the last one has its own text at least.
  const answer = found ?? { reasoning: 'marked', begun: text };
  if (field === 'content' || format.reasoning === undefined || endsInReasoning(answer, format)) return answer;
  return { reasoning: 'opened', begun: text };
}

/** Null where the prompt does not begin with that opening, be it with a block of reasoning or without. */
function behindOpening(opened: string | null, promptText: string, format: OutputFormat): BegunAnswer | null {
  if (opened === null) return null;
  const reasoning = reasoningStart(opened, format);
  if (promptText.startsWith(opened)) return { reasoning, begun: promptText.slice(opened.length) };
  if (reasoning === 'marked' || format.reasoning === undefined) return null;
  const head = opened.slice(0, opened.lastIndexOf(format.reasoning.open));
  return promptText.startsWith(head) ? { reasoning: 'marked', begun: promptText.slice(head.length) } : null;
}

/** Templates may leave the mark out that their models open reasoning with. */
function endsInReasoning({ reasoning, begun }: BegunAnswer, format: OutputFormat): boolean {
  const parser = new OutputParser({ format, tools: null, reasoning, callId: String });
  parser.push(begun);
  return parser.inReasoning;
}

/** The prompt for an answer that is not begun; null where the template wants more than there is before the last message. */
function openedTurn(renderer: PromptRenderer, messages: readonly ChatMessage[], options: RenderOptions): string | null {
  try {
    return renderer.renderParts(messages, { ...options, continueFinalMessage: false, addGenerationPrompt: true }).text;
  } catch (error) {
    if (error instanceof TemplateError) return null;
    throw error;
  }
}
