import { parentPort, workerData } from 'node:worker_threads';

/** Reads its own memory from end to end, vectorized (memchr for a byte that is not there), and answers with the milliseconds. */
const memory = Buffer.alloc(workerData as number, 1);

parentPort?.on('message', () => {
  const begin = performance.now();
  if (memory.indexOf(2) !== -1) throw new Error('a byte was found that was never written');
  parentPort?.postMessage(performance.now() - begin);
});
