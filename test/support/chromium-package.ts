import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('../../node_modules/@sparticuz/chromium', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.millrace/cache', import.meta.url));

/** Whether this machine can run the programs that `@sparticuz/chromium` holds. */
export function hasChromiumPackage(): boolean {
  return process.platform === 'linux' && process.arch === 'x64' && existsSync(PACKAGE);
}

/**
 * Archives of `@sparticuz/chromium`, unpacked into the cache of this clone once for each version: it takes seconds.
 * @param complete adds to the folder what the archives lack, before anybody else sees it
 */
export async function unpackedArchives(
  name: string,
  archives: readonly string[],
  complete: (unfinished: string, folder: string) => Promise<void> = async () => {},
): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };
  const folder = join(CACHE, `${name}-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, `${name}-`));
  try {
    const files = archives.map((archive) => join(PACKAGE, 'bin', archive));
    const script = `import { inflate } from '@sparticuz/chromium'; await Promise.all(${JSON.stringify(files)}.map(inflate));`;
    // It unpacks to where temporary files are: those of a process of its own.
    await run(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, TMPDIR: unfinished } });
    await complete(unfinished, folder);
    // Two test files may unpack at a time: whoever is second has the first one's.
    await rename(unfinished, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}
