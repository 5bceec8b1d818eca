import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The key for local use: the given one, or one that is made once and kept, readable by its owner only. */
export function devKey(stateFolder: string, given: string | undefined): string {
  if (given !== undefined) return given;
  const file = join(stateFolder, 'dev-key');
  if (existsSync(file)) {
    const kept = readFileSync(file, 'utf8').trim();
    if (kept.length >= 8) {
      chmodSync(file, 0o600);
      return kept;
    }
  }
  const made = `sk-millrace-${randomBytes(18).toString('base64url')}`;
  writeFileSync(file, `${made}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return made;
}
