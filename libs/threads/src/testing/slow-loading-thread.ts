/** Entry of a thread that takes half a second to load, and answers with what it is told. */
import { serveTasks } from '../serve-tasks.ts';

Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
serveTasks((text: string) => text);
