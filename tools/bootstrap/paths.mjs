import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A program that an installed package put into node_modules/.bin. */
export function installedProgram(name, root = ROOT) {
  return join(root, 'node_modules', '.bin', name);
}
