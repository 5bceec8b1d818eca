/** Entry of a rendering thread: keeps one `PromptRenderer` per card and answers `RenderMessage`s in order. */
import { parentPort } from 'node:worker_threads';
import { MillraceError } from '#contracts';
import { PromptRenderer } from '#models';
import type { RenderMessage, RenderReply } from './render-message.ts';

const renderers = new Map<string, PromptRenderer>();
const port = parentPort;

port?.on('message', (message: RenderMessage) => {
  try {
    const tokenIds = perform(message);
    const reply: RenderReply = { id: message.id, tokenIds };
    port.postMessage(reply, tokenIds === null ? [] : [tokenIds.buffer as ArrayBuffer]);
  } catch (error) {
    const code = error instanceof MillraceError ? error.code : 'internal_error';
    const reply: RenderReply = {
      id: message.id,
      code,
      message: error instanceof Error ? error.message : String(error),
    };
    port.postMessage(reply);
  }
});

/** @returns tokens for `render`, null otherwise */
function perform(message: RenderMessage): Int32Array | null {
  switch (message.type) {
    case 'load':
      if (!renderers.has(message.cardHash)) renderers.set(message.cardHash, PromptRenderer.fromCard(message.card));
      return null;
    case 'forget':
      renderers.delete(message.cardHash);
      return null;
    case 'render': {
      const renderer = renderers.get(message.cardHash);
      if (renderer === undefined) {
        throw new MillraceError('internal_error', 'The model changed while the request was prepared; send it again.');
      }
      return renderer.render(message.messages).tokenIds;
    }
  }
}
