/** Names a request's try on a worker among all that a process has in hand. */
export function attemptKey(requestId: string, epoch: number): string {
  return `${epoch}:${requestId}`;
}
