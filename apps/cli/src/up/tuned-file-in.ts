import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the file in which `millrace bench --tune` leaves its findings. */
export const TUNED_FILE = 'tuned.env';

/** The one of a state folder; null where nothing was measured. */
export function tunedFileIn(stateFolder: string): string | null {
  const file = join(stateFolder, TUNED_FILE);
  return existsSync(file) ? file : null;
}
