import type { AddedToken } from '../tokenizer/added-token.ts';
import type { RenderedTemplate } from './chat-template.ts';
import { PROBE_ANSWER, PROBE_QUESTION } from './check-template.ts';
import type { PromptRenderer } from './prompt-renderer.ts';

/**
 * The control token with which the template ends an assistant's turn; null when it has none. Found by rendering: it is
 * the first one after an assistant's text, unless that one opens turns. Models whose configuration names only the
 * end-of-text token would otherwise run on into the user's next turn.
 */
export function endOfTurnTokenId(renderer: PromptRenderer): number | null {
  const question = { role: 'user', content: PROBE_QUESTION } as const;
  const answer = { role: 'assistant', content: PROBE_ANSWER } as const;
  const turns = renderer.renderParts([question, answer], { addGenerationPrompt: false });
  const closing = tokensAround(turns, PROBE_ANSWER);
  const opening = [
    closing.before,
    tokensAround(turns, PROBE_QUESTION).before,
    generationPromptToken(
      renderer.renderParts([question]),
      renderer.renderParts([question], { addGenerationPrompt: false }),
    ),
  ];
  const token = closing.after;
  return token === null || opening.some((other) => other?.id === token.id) ? null : token.id;
}

function tokensAround(
  { parts }: RenderedTemplate,
  text: string,
): { before: AddedToken | null; after: AddedToken | null } {
  const index = parts.findLastIndex((part) => 'text' in part && part.text.includes(text));
  return {
    before: index < 0 ? null : (controlTokens(parts.slice(0, index)).at(-1) ?? null),
    after: index < 0 ? null : (controlTokens(parts.slice(index))[0] ?? null),
  };
}

function generationPromptToken(withPrompt: RenderedTemplate, without: RenderedTemplate): AddedToken | null {
  return controlTokens(withPrompt.parts)[controlTokens(without.parts).length] ?? null;
}

function controlTokens(parts: RenderedTemplate['parts']): AddedToken[] {
  return parts.flatMap((part) => ('token' in part ? [part.token] : []));
}
