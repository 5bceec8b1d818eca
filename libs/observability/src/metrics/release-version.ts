import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** The release that runs, from package.json; `unknown` where there is none. */
export function releaseVersion(): string {
  const path = findPackageJSON('.', import.meta.url);
  if (path === undefined) return 'unknown';
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown };
  return typeof manifest.version === 'string' ? manifest.version : 'unknown';
}
