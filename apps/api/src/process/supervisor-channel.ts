export type SupervisorMessage =
  | { readonly type: 'ready'; readonly url: string; readonly relayAddress: string; readonly managementUrl: string }
  | { readonly type: 'progress'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string };

/** Tells whoever started this process as a child how it goes; nothing happens where nobody did. */
export function tellSupervisor(message: SupervisorMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

/** Calls back when the process that started this one is gone, so that none is left behind. */
export function onSupervisorGone(callback: () => void): void {
  if (process.send !== undefined) process.once('disconnect', callback);
}
