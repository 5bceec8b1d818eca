/** Entry of a thread that reads a model's sizes and ends: an ONNX file with its weights inside is as large as they are. */
import { parentPort, workerData } from 'node:worker_threads';
import { inspectModel } from '#model-runner';
import type { MemorySizes } from './memory-need.ts';

const { weightBytes, loadedBytes, layers, kvHeads, headSize, cacheType, sharesCache } = await inspectModel(
  workerData as string,
);
const sizes: MemorySizes = { weightBytes, loadedBytes, layers, kvHeads, headSize, cacheType, sharesCache };
parentPort?.postMessage(sizes);
