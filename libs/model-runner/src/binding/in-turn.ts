/**
 * Runs `work`, then `release` whether it succeeded or not, then `next` if it did. Synchronous where `work` is, so that a
 * blocking binding never costs a turn of the event loop.
 */
export function finallyAfter(
  work: () => void | Promise<void>,
  release: () => void,
  next: () => void,
): void | Promise<void> {
  let pending: void | Promise<void>;
  try {
    pending = work();
  } catch (error) {
    release();
    throw error;
  }
  if (pending !== undefined) return pending.finally(release).then(next);
  release();
  next();
}

/** Runs `step` for each item, one after another; synchronous for as long as the steps are. */
export function forEachInTurn<Item>(
  items: readonly Item[],
  step: (item: Item) => void | Promise<void>,
  from = 0,
): void | Promise<void> {
  for (let i = from; i < items.length; i++) {
    const pending = step(items[i] as Item);
    if (pending !== undefined) return pending.then(() => forEachInTurn(items, step, i + 1));
  }
}
