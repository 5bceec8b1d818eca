/** Entry of the checking thread: compiles constraints as a worker will, and says whether it could. */
import { parentPort } from 'node:worker_threads';
import { MillraceError } from '#contracts';
import { answerTokenTable } from '#models';
import { GrammarConstraints } from '#models/grammar';
import type { CheckMessage, CheckReply } from './check-message.ts';

/** By card. Each holds a vocabulary. */
const constraintsOfCard = new Map<string, GrammarConstraints>();

function constraintsOf({ cardHash, card }: CheckMessage): GrammarConstraints {
  const known = constraintsOfCard.get(cardHash);
  if (known !== undefined) return known;
  if (card === null) throw new Error(`the card ${cardHash} was never sent to this thread`);
  const opened = new GrammarConstraints(answerTokenTable(card), card.vocabularySize);
  constraintsOfCard.set(cardHash, opened);
  return opened;
}

function check(message: CheckMessage, reply: (reply: CheckReply) => void): void {
  const { id } = message;
  try {
    const constraints = constraintsOf(message);
    reply({ id, type: 'ready' });
    using match = constraints.create(message.constraint, []);
    const isUsable = match.allowedTokens().some((word) => word !== 0);
    if (!isUsable)
      throw new MillraceError('invalid_request', 'No token of the model can begin an answer to the schema.');
    reply({ id, type: 'accepted' });
  } catch (error) {
    const known = error instanceof MillraceError ? error : null;
    const text = error instanceof Error ? error.message : String(error);
    reply({ id, type: 'refused', code: known?.code ?? 'invalid_request', message: text, param: known?.param ?? null });
  }
}

parentPort?.on('message', (message: CheckMessage) => {
  check(message, (reply) => parentPort?.postMessage(reply));
});
