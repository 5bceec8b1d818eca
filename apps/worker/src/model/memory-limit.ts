import { totalmem } from 'node:os';
import { InsufficientMemoryError } from './insufficient-memory-error.ts';
import { type MemoryNeed, PROCESS_BYTES } from './memory-need.ts';

/** What the models of a worker may take together. */
export interface MemoryLimit {
  readonly bytes: number;
  /** Whether it was set: then what caches may come to counts as well. */
  readonly countsCaches: boolean;
  /** Where it is from, for messages. */
  readonly source: string;
}

/** @param setBytes MILLRACE_MEMORY_LIMIT_MB; 0 for what the container or the machine has */
export function memoryLimitOf(setBytes: number): MemoryLimit {
  if (setBytes > 0) return { bytes: setBytes, countsCaches: true, source: 'MILLRACE_MEMORY_LIMIT_MB' };
  // 0, or more than there is, without a container.
  const containerBytes = process.constrainedMemory();
  const machineBytes = totalmem();
  return containerBytes > 0 && containerBytes < machineBytes
    ? { bytes: containerBytes, countsCaches: false, source: "the container's memory" }
    : { bytes: machineBytes, countsCaches: false, source: "the machine's memory" };
}

/** What a model takes of the limit. */
function countedBytes(need: MemoryNeed, limit: MemoryLimit): number {
  return limit.countsCaches ? need.mostBytes : need.certainBytes;
}

/** @throws InsufficientMemoryError when the model does not fit beside the others */
export function requireFit(model: string, need: MemoryNeed, others: readonly MemoryNeed[], limit: MemoryLimit): void {
  const takenBytes = others.reduce((sum, other) => sum + countedBytes(other, limit), PROCESS_BYTES);
  if (takenBytes + countedBytes(need, limit) > limit.bytes) {
    throw new InsufficientMemoryError(model, need, takenBytes, limit);
  }
}
