import { vi } from 'vitest';

/** What is awaited comes within milliseconds; a bound on it is there to catch hangs, not a busy machine. */
const PATIENCE_MS = 10_000;
const INTERVAL_MS = 20;

const waitFor = vi.waitFor.bind(vi);

/** `vi.waitFor` gives up after one second unless told otherwise, which a machine with other work may take. */
vi.waitFor = (callback, options = {}) => {
  const given = typeof options === 'number' ? { timeout: options } : options;
  return waitFor(callback, { timeout: PATIENCE_MS, interval: INTERVAL_MS, ...given });
};
