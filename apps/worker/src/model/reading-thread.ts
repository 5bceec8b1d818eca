/**
 * Entry of a thread that reads one model folder and ends: tokenizers, and ONNX files with their weights inside, leave
 * much behind that only the end of a thread gives back whole.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from './collect-garbage.ts';
import type { ReadingThreadData } from './model-reader.ts';
import { readModel } from './read-model.ts';

const { options, modelRoots, providers, cpu } = workerData as ReadingThreadData;
const served = await readModel(options, modelRoots, providers, cpu);
// V8 keeps the pages of a heap that ends for some seconds, in which the weights are loaded.
collectGarbage();
parentPort?.postMessage(served);
