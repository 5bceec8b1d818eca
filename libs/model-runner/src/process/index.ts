/**
 * The part of `#model-runner` that concerns a process rather than a model: its memory, its processors, and runs that have
 * to end. Whoever opens no model needs no more.
 *
 * @module
 * @example
 * import { largeAllocationsApart, returnFreeMemory } from '#model-runner/process';
 * largeAllocationsApart(); // before threads are started
 * returnFreeMemory(); // after something large is gone
 */
export { interruptRun } from '../binding/interrupt-run.ts';
export { largeAllocationsApart } from '../large-allocations-apart.ts';
export { returnFilePages } from '../return-file-pages.ts';
export { returnFreeMemory } from '../return-free-memory.ts';
export { runOnProcessors } from '../run-on-processors.ts';
