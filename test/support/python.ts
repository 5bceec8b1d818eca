import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../.millrace/test-python', import.meta.url));

/**
 * A Python with the `openai` client, made once below `.millrace/`. On a bare Debian as root, Python itself is installed
 * first, as for Redis.
 */
export async function pythonWithOpenai(): Promise<string> {
  const python = `${folder}/bin/python`;
  if (existsSync(`${folder}/ready`)) return python;
  const venvWorks = (): boolean => {
    try {
      execFileSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  if (!venvWorks()) {
    if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
      throw new Error(
        'This test needs python3 with venv: install it (Debian: apt-get install python3-venv) and run again.',
      );
    const install = () =>
      run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'python3-venv'], {
        timeout: 240_000,
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    // A fresh image knows no packages, unless Redis had to be installed before.
    await install().catch(async () => {
      await run('apt-get', ['update', '-qq'], { timeout: 120_000 });
      await install();
    });
  }
  await run('python3', ['-m', 'venv', '--clear', folder], { timeout: 120_000 });
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'openai==3.52.0'], {
    timeout: 240_000,
  });
  await run('touch', [`${folder}/ready`]);
  return python;
}

export async function runPython(script: URL, environment: Record<string, string>): Promise<string> {
  const python = await pythonWithOpenai();
  const { stdout } = await run(python, [fileURLToPath(script)], {
    timeout: 120_000,
    env: { PATH: process.env.PATH, ...environment },
  });
  return stdout;
}
