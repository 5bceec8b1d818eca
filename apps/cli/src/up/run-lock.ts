import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { holderFile, holderOf } from '../client/running-cluster.ts';
import { StartError } from '../start-error.ts';

/** Keeps a second `up` out of the same state folder: two would share one Redis data folder. */
export class RunLock implements Disposable {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** @throws StartError naming the process that holds the folder */
  static take(stateFolder: string): RunLock {
    mkdirSync(stateFolder, { recursive: true });
    const file = holderFile(stateFolder);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        writeFileSync(file, String(process.pid), { flag: 'wx' });
        return new RunLock(file);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const holder = holderOf(stateFolder);
      if (holder !== null) {
        throw new StartError(
          `Millrace is already running in this folder (process ${holder}).\n` +
            `Use that one, stop it with Ctrl-C or \`kill ${holder}\`, or set MILLRACE_STATE_FOLDER to run a second one beside it.`,
        );
      }
      // Left behind by a run that was killed.
      rmSync(file, { force: true });
    }
    throw new StartError(`${file} cannot be taken: other runs keep starting in this folder.`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#file, { force: true });
  }
}
