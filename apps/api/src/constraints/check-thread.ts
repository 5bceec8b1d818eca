/** Entry of the checking thread: compiles constraints as a worker will, and says whether it could. */
import { MillraceError } from '#contracts';
import { answerTokenTable } from '#models';
import { GrammarConstraints } from '#models/grammar';
import { serveTasks } from '#threads';
import type { CheckMessage, CheckReply } from './check-message.ts';

/** By card. Each holds a vocabulary. */
const constraintsOfCard = new Map<string, GrammarConstraints>();

function answerTo(message: CheckMessage): CheckReply {
  if (message.type === 'load') {
    const { cardHash, card } = message;
    constraintsOfCard.set(cardHash, new GrammarConstraints(answerTokenTable(card), card.vocabularySize));
    return { type: 'loaded' };
  }
  const constraints = constraintsOfCard.get(message.cardHash);
  if (constraints === undefined) return { type: 'unknown_card' };
  using match = constraints.create(message.constraint, []);
  const isUsable = match.allowedTokens().some((word) => word !== 0);
  if (!isUsable) throw new MillraceError('invalid_request', 'No token of the model can begin such an answer.');
  return { type: 'accepted' };
}

serveTasks((message: CheckMessage): CheckReply => {
  try {
    return answerTo(message);
  } catch (error) {
    const known = error instanceof MillraceError ? error : null;
    const text = error instanceof Error ? error.message : String(error);
    return { type: 'refused', code: known?.code ?? 'invalid_request', message: text, param: known?.param ?? null };
  }
});
