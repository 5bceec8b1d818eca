import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('../../node_modules/@sparticuz/chromium', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.millrace/cache', import.meta.url));
/** What browsers of this kind are called where they are installed. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];

interface Program {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * A headless Chromium. On Linux for x64 it is the one that `@sparticuz/chromium` holds, with the system libraries and the font
 * that it needs, so that tests ask nothing of the machine; elsewhere one on PATH.
 * @returns null where there is none, which is said
 */
export async function startBrowser(): Promise<Browser | null> {
  const own = process.platform === 'linux' && process.arch === 'x64' && existsSync(PACKAGE);
  const program = own ? await unpacked() : onPath();
  if (program === null) {
    process.stderr.write(`\nNO BROWSER: tests of pages are left out. Put one of ${NAMES.join(', ')} on PATH.\n\n`);
    return null;
  }
  return chromium.launch({
    executablePath: program.path,
    env: { ...process.env, ...program.environment },
    args: ['--headless=shell', '--disable-gpu', '--disable-software-rasterizer', '--no-zygote'],
    chromiumSandbox: false,
  });
}

function onPath(): Program | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const path = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((file) => existsSync(file));
  return path === undefined ? null : { path, environment: {} };
}

/** What the package holds, unpacked into the cache of this clone once for each version: it takes seconds. */
async function unpacked(): Promise<Program> {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };
  const folder = join(CACHE, `chromium-${version}`);
  if (!existsSync(folder)) await unpackInto(folder);
  return {
    path: join(folder, 'chromium'),
    environment: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  };
}

async function unpackInto(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, 'chromium-'));
  try {
    const archives = ['chromium.br', 'fonts.tar.br', 'al2023.tar.br'].map((name) => join(PACKAGE, 'bin', name));
    const script = `import { inflate } from '@sparticuz/chromium'; await Promise.all(${JSON.stringify(archives)}.map(inflate));`;
    // It unpacks to where temporary files are: those of a process of its own.
    await run(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, TMPDIR: unfinished } });
    // The package's own configuration names folders of Lambda.
    const directories = `<dir>${join(folder, 'fonts')}</dir><cachedir>${join(folder, 'fonts-cache')}</cachedir>`;
    await writeFile(join(unfinished, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${directories}</fontconfig>\n`);
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
