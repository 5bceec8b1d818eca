/** A thread took longer for a task than it may; it was ended, and the next task gets a new one. */
export class TaskLateError extends Error {
  constructor(limitMs: number) {
    super(`the task takes longer than ${limitMs} ms`);
  }
}
