import { lstat, mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Whether a folder can be put at a path: nothing is there, or an empty folder.
 * @returns what is there instead, in words; null when it can
 */
export async function whatIsThere(folder: string): Promise<string | null> {
  const found = await lstat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return null;
  if (!found.isDirectory()) return `${folder} is no folder`;
  return (await readdir(folder)).length > 0 ? `the folder ${folder} is not empty` : null;
}

/** Puts a finished folder in its place. What got there since it was looked at stays: then this fails. */
export async function putInPlace(finished: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(finished, folder);
}

/** Whether an error is one of the file system: no space, no permission, and the like. */
export function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error && 'errno' in error;
}
