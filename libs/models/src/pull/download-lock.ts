import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { HubError } from './hub-error.ts';

/** Those of this process. */
const HELD = new Set<string>();

/** Keeps a second download out of the same folder: two would write into each other's files. */
export class DownloadLock implements Disposable {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
    HELD.add(file);
  }

  /** @throws HubError naming the process that downloads into the folder */
  static take(repo: string, folder: string): DownloadLock {
    const file = `${folder}.download.lock`;
    mkdirSync(dirname(file), { recursive: true });
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(file, String(process.pid), { flag: 'wx' });
        return new DownloadLock(file);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      if (isHeld(file)) break;
      rmSync(file, { force: true }); // left behind by a process that was killed
    }
    throw new HubError(
      repo,
      `another download into ${folder} is running (${file})`,
      'wait for it, or name another folder',
    );
  }

  [Symbol.dispose](): void {
    HELD.delete(this.#file);
    rmSync(this.#file, { force: true });
  }
}

function isHeld(file: string): boolean {
  const holder = Number(readIfThere(file));
  if (!Number.isInteger(holder) || holder <= 0) return false;
  if (holder === process.pid) return HELD.has(file);
  try {
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // given back in between
  }
}
