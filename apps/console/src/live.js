import { fill, number, text } from './table.js';

const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
const mebibytes = (bytes) => (bytes === null ? '' : `${Math.round(bytes / 2 ** 20)} MiB`);

/** A time that passes, in the unit that one would say it in. */
function duration(ms) {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
  ];
  const [unitMs, name] = units.find(([unit]) => ms >= 2 * unit) ?? [1_000, 's'];
  return `${Math.floor(ms / unitMs)} ${name}`;
}

/** Queues and workers as they are now. */
export async function showLive(call) {
  const [{ queues }, { workers }] = await Promise.all([call('/admin/v1/queues'), call('/admin/v1/workers')]);
  fill(
    document.getElementById('queues'),
    ['Model', ...['Waiting', 'Running', 'Workers', 'Slots', 'Wait of the next', 'Capacity/s'].map(number)],
    queues.map((queue) => [
      queue.model,
      queue.waiting,
      queue.active,
      queue.liveWorkers,
      queue.liveSlots,
      queue.liveSlots === 0 ? 'no worker' : seconds(queue.estimatedWaitMs),
      queue.drainRate.toFixed(2),
    ]),
    'No model was served yet.',
  );
  fill(
    document.getElementById('workers'),
    [
      'Worker',
      'State',
      ...['Up for', 'Memory'].map(number),
      'Model',
      'State',
      ...['Running', 'Slots'].map(number),
      text('Problem'),
    ],
    workers.flatMap(({ workerId, state, startedAtMs, rssBytes, models }) => {
      const worker = [workerId, state, duration(Math.max(0, Date.now() - startedAtMs)), mebibytes(rssBytes)];
      const rows = models.map((each) => [each.model, each.state, each.running, each.slots, each.problem ?? '']);
      return rows.length === 0 ? [[...worker, 'none', '', '', '', '']] : rows.map((row) => [...worker, ...row]);
    }),
    'No worker is alive.',
  );
}
