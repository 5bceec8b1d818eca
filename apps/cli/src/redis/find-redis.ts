import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A way to run a Redis protocol server on this machine. */
export type RedisProgram =
  | { readonly kind: 'server'; readonly path: string }
  | { readonly kind: 'docker'; readonly path: string };

const SERVER_NAMES = ['redis-server', 'valkey-server'];

/** The first redis-server or valkey-server on `path`; null when there is none. */
export function findRedisServer(path: string): RedisProgram | null {
  const found = SERVER_NAMES.map((name) => findOnPath(name, path)).find((file) => file !== null);
  return found === undefined ? null : { kind: 'server', path: found };
}

/** Full path of an executable file in the folders of `path`, in their order. */
export function findOnPath(name: string, path: string): string | null {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
