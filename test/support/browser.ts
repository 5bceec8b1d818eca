import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { hasChromiumPackage, unpackedArchives } from './chromium-package.ts';

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
  const program = hasChromiumPackage() ? await unpacked() : onPath();
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

/** Its own configuration names folders of Lambda. */
async function unpacked(): Promise<Program> {
  const archives = ['chromium.br', 'fonts.tar.br', 'al2023.tar.br'];
  const folder = await unpackedArchives('chromium', archives, async (unfinished, finished) => {
    const directories = `<dir>${join(finished, 'fonts')}</dir><cachedir>${join(finished, 'fonts-cache')}</cachedir>`;
    await writeFile(join(unfinished, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${directories}</fontconfig>\n`);
  });
  return {
    path: join(folder, 'chromium'),
    environment: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  };
}
