/**
 * Threads that work one task after another, and the line in which the tasks of tenants wait for their turn.
 *
 * @module
 * @example
 * import { TaskThread, WorkLine } from '#threads';
 * const line = new WorkLine();
 * const thread = new TaskThread<string, number>(new URL('./counting-thread', import.meta.url));
 * const letters = await line.run(tenantId, () => thread.ask('a long text', 2_000));
 * await thread.close();
 */
export { NoPlaceError } from './no-place-error.ts';
export { serveTasks } from './serve-tasks.ts';
export { TaskLateError } from './task-late-error.ts';
export { TaskThread } from './task-thread.ts';
export { TenantLine } from './tenant-line.ts';
export { ThreadLostError } from './thread-lost-error.ts';
export { WorkLine } from './work-line.ts';
