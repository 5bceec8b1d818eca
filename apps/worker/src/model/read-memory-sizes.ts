import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { MemorySizes } from './memory-need.ts';

/** @throws ModelLoadError, as plain Error, when the file is no decoder that can be served */
export function readMemorySizes(modelFile: string): Promise<MemorySizes> {
  const entry = new URL(`./inspect-thread${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(entry, { workerData: modelFile });
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error(`${modelFile} could not be read: its thread ended`)));
  });
}
