import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartError } from '../start-error.ts';

/**
 * That a folder can be written, or made where it is missing; nothing is made.
 * @throws StartError naming the folder, the reason and the remedy
 */
export function requireWritableFolder(variable: string, folder: string): void {
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if (!statSync(nearest).isDirectory()) throw unwritable(variable, folder, `${nearest} is no folder`);
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(variable, folder, error instanceof Error ? error.message : String(error), error);
  }
}

function unwritable(variable: string, folder: string, reason: string, cause?: unknown): StartError {
  const message = `${folder} can not be written: ${reason}.\nMake it writable for this user, or name another folder in ${variable}.`;
  return new StartError(message, { cause });
}
