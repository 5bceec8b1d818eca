/** What a worker tells the process that started it. */
export type ParentMessage =
  | { readonly type: 'progress'; readonly message: string }
  | {
      readonly type: 'ready';
      readonly workerId: string;
      readonly models: readonly string[];
      readonly managementUrl: string;
    }
  | { readonly type: 'failed'; readonly message: string };

/** Settles when the message has left; at once where no supervisor listens. */
export function tellParent(message: ParentMessage): Promise<void> {
  if (process.send === undefined || !process.connected) return Promise.resolve();
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}
