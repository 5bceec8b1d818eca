/** Entry of a rendering thread: keeps one `PromptRenderer` per card and answers `RenderMessage`s in order. */
import { parentPort } from 'node:worker_threads';
import { MillraceError } from '#contracts';
import { promptTraits } from '#models';
import { LoadedCard } from './loaded-card.ts';
import type { RenderMessage, RenderReply } from './render-message.ts';

const loaded = new Map<string, LoadedCard>();
const port = parentPort;

port?.on('message', (message: RenderMessage) => {
  try {
    const reply = perform(message);
    port.postMessage(reply, reply.type === 'rendered' ? [reply.tokenIds.buffer as ArrayBuffer] : []);
  } catch (error) {
    const known = error instanceof MillraceError ? error : null;
    const reply: RenderReply = {
      id: message.id,
      type: 'failed',
      code: known?.code ?? 'internal_error',
      message: error instanceof Error ? error.message : String(error),
      param: known?.param ?? null,
    };
    port.postMessage(reply);
  }
});

function perform(message: RenderMessage): RenderReply {
  const { id, cardHash } = message;
  switch (message.type) {
    case 'load': {
      const { card } = message;
      const known = loaded.get(cardHash) ?? new LoadedCard(card);
      loaded.set(cardHash, known);
      return { id, type: 'loaded', traits: promptTraits(card, known.renderer) };
    }
    case 'forget':
      loaded.delete(cardHash);
      return { id, type: 'forgotten' };
    case 'render': {
      const known = loaded.get(cardHash);
      if (known === undefined) {
        throw new MillraceError('internal_error', 'The model changed while the request was prepared; send it again.');
      }
      return { id, type: 'rendered', ...known.render(message.conversation) };
    }
  }
}
