let waiting: (() => void)[] = [];

/**
 * Settles when the event loop has dealt with what came in: for calls to Redis that nobody waits for, so that they do not stand
 * before the next answer. All that ask in one turn go on together, and so share a write.
 */
export function afterThisTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(resolveAll);
  });
}

function resolveAll(): void {
  const resolves = waiting;
  waiting = [];
  for (const resolve of resolves) resolve();
}
