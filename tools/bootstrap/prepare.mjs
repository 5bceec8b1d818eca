import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';

/** What every command needs first: packages as locked, dist as the sources are. Quiet when there is nothing to do. */
export async function prepare({ build = true, report = console.error } = {}) {
  await ensureInstalled(report);
  if (build) await ensureBuilt(report);
}
