import { MillraceError } from '#contracts';
import type { CancelLatency } from '../requests/cancel-latency.ts';
import type { RequestJournal } from '../requests/request-journal.ts';
import type { RequestContext } from './request-context.ts';
import { RequestDeadline } from './request-deadline.ts';

export interface PreparationParts {
  readonly journal: Pick<RequestJournal, 'preparing'>;
  readonly cancelLatency: CancelLatency;
}

/**
 * The time in which a request's prompt is rendered and its constraint checked, which can be seconds for long ones. It ends at
 * once when the client leaves, the deadline passes or somebody cancels the request; what a thread is computing for it then is
 * thrown away, and what waits for a thread is not begun.
 *
 * @param work gets the signal of its end
 * @returns with `refused`, to be called when the request is not let in
 * @throws MillraceError request_cancelled, deadline_exceeded, and what `work` throws
 */
export async function whilePreparing<Result extends object>(
  { requestId, tenant: { tenantId }, alias, gone, endsAtMs }: RequestContext,
  model: string,
  { journal, cancelLatency }: PreparationParts,
  work: (ended: AbortSignal) => Promise<Result>,
): Promise<Result & { readonly refused: () => void }> {
  const ending = new AbortController();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const end = (error: MillraceError): void => {
    if (ending.signal.aborted) return;
    const beganMs = performance.now();
    ending.abort(error);
    ended.reject(error);
    void running
      .catch(() => {})
      .finally(() => cancelLatency.observe('rendering', performance.now() - beganMs, requestId));
  };
  const leave = () => end(new MillraceError('request_cancelled', 'The client closed its connection.'));
  gone.addEventListener('abort', leave, { once: true });
  using _ = new RequestDeadline(endsAtMs, end);
  const entry = journal.preparing({ tenantId, requestId, model, alias, cancel: end });
  const running = work(ending.signal);
  try {
    if (gone.aborted) leave();
    const result = await Promise.race([running, ended.promise]);
    entry.prepared();
    return { ...result, refused: entry.refused };
  } catch (error) {
    if (ending.signal.aborted) entry.cancelled();
    else entry.refused();
    throw error;
  } finally {
    gone.removeEventListener('abort', leave);
  }
}
