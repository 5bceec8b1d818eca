import { fill } from './client.js';

const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
const mebibytes = (bytes) => (bytes === null ? '' : `${Math.round(bytes / 2 ** 20)} MiB`);

/** Queues and workers as they are now. */
export async function showLive(call) {
  const [{ queues }, { workers }] = await Promise.all([call('/admin/v1/queues'), call('/admin/v1/workers')]);
  fill(
    document.getElementById('queues'),
    ['Model', 'Waiting', 'Running', 'Workers', 'Slots', 'Wait of the next', 'Requests/s'],
    queues.map((queue) => [
      queue.model,
      queue.waiting,
      queue.active,
      queue.liveWorkers,
      queue.liveSlots,
      queue.liveSlots === 0 ? 'no worker' : seconds(queue.estimatedWaitMs),
      queue.drainRate.toFixed(2),
    ]),
  );
  fill(
    document.getElementById('workers'),
    ['Worker', 'State', 'Up for', 'Memory', 'Model', 'State', 'Running', 'Slots', 'Problem'],
    workers.flatMap(({ workerId, state, startedAtMs, rssBytes, models }) => {
      const worker = [workerId, state, seconds(Math.max(0, Date.now() - startedAtMs)), mebibytes(rssBytes)];
      const rows = models.map((each) => [each.model, each.state, each.running, each.slots, each.problem ?? '']);
      return rows.length === 0 ? [worker] : rows.map((row) => [...worker, ...row]);
    }),
  );
}
