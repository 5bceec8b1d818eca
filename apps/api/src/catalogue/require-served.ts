import { MillraceError } from '#contracts';
import type { CataloguedModel } from './catalogued-model.ts';

/** A worker that restarts is back after about this long; a client that waits so long usually finds one. */
const RETRY_AFTER_MS = 5_000;

/** @throws MillraceError no_workers when the model is known but nobody serves it now */
export function requireServed(model: CataloguedModel): void {
  if (model.liveWorkers > 0) return;
  throw new MillraceError(
    'no_workers',
    `No worker serves "${model.card.model}" at the moment. Try again in a few seconds, or start a worker for it.`,
    { param: 'model', retryAfterMs: RETRY_AFTER_MS },
  );
}
