/** Entry of an engine thread over the in-memory runner, for tests of the thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from '../engine.ts';
import { serveEngine } from '../thread/serve-engine.ts';
import { HistoryModelRunner } from './history-model-runner.ts';
import { numberedTokenTable } from './token-tables.ts';

export interface HistoryEngineThreadData {
  readonly slots: number;
  readonly vocabularySize: number;
  readonly slotTokens: number;
  /** Thrown while loading. */
  readonly loadError?: string;
  /** Never gets further than loading. */
  readonly hangAtLoad?: boolean;
  /** The run with this number, from 1, ends the thread with an uncaught error. */
  readonly crashAtRun?: number;
  /** The run with this number never ends. */
  readonly hangAtRun?: number;
  /** Each run blocks the thread for so long. */
  readonly runMs?: number;
}

const data: HistoryEngineThreadData = workerData;
if (data.loadError !== undefined) throw new Error(data.loadError);
while (data.hangAtLoad === true);
if (parentPort === null) throw new Error('this file is the entry of a thread');

const runner = new HistoryModelRunner(data);
let runs = 0;
runner.afterRun = () => {
  runs += 1;
  if (runs === data.crashAtRun) process.exit(3);
  while (runs === data.hangAtRun);
  const endMs = performance.now() + (data.runMs ?? 0);
  while (performance.now() < endMs);
};
const tokenTable = numberedTokenTable(data.vocabularySize);
serveEngine(parentPort, new Engine({ runner, tokenTable, prefillChunkTokens: 8 }));
