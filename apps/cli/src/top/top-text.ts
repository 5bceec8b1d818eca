import type { LiveWorker } from '../models/live-models.ts';

/** What `GET /admin/v1/queues` tells of a model. */
export interface LiveQueue {
  readonly model: string;
  readonly waiting: number;
  readonly active: number;
  readonly liveWorkers: number;
  readonly liveSlots: number;
  /** Requests a second that the slots can end. */
  readonly drainRate: number;
  readonly estimatedWaitMs: number;
}

/** Queues and workers as two tables. */
export function topText(queues: readonly LiveQueue[], workers: readonly LiveWorker[]): string {
  const queueRows = queues.map((queue) => [
    queue.model,
    `${queue.waiting}`,
    `${queue.active}`,
    `${queue.liveWorkers}`,
    `${queue.liveSlots}`,
    queue.liveSlots === 0 ? 'no worker' : `${(queue.estimatedWaitMs / 1_000).toFixed(1)} s`,
    queue.drainRate.toFixed(2),
  ]);
  const workerRows = workers.flatMap(({ workerId, state, rssBytes, models }) => {
    const worker = [workerId, state, rssBytes === null ? '' : `${Math.round(rssBytes / 2 ** 20)} MiB`];
    if (models.length === 0) return [[...worker, '', '', '', '']];
    return models.map((each) => [
      ...worker,
      each.model,
      each.state,
      `${each.running}/${each.slots}`,
      each.problem ?? '',
    ]);
  });
  return [
    ...table(['model', 'waiting', 'running', 'workers', 'slots', 'next waits', 'capacity/s'], queueRows),
    '',
    ...table(['worker', 'state', 'memory', 'model', 'state', 'running', 'problem'], workerRows),
  ].join('\n');
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [titles, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
