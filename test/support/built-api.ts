import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';

export const TEST_KEY = 'sk-test-key-0123456789';

export interface ApiProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly url: string;
  readonly managementUrl: string;
  readonly relayAddress: string;
  /** Both streams of the process so far. */
  output(): string;
  /** @returns the exit code */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

let built = false;

/** Builds as `npm run build` does, when dist is not current; the products run without a type stripper. */
export function build(): void {
  if (built) return;
  const script = "await (await import('./tools/bootstrap/build.mjs')).ensureBuilt(console.error)";
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  built = true;
}

/** Starts `apps/api` with a free port for everything, as a supervisor would; does not wait. */
export function spawnApi(environment: Record<string, string>): { process: ChildProcess; output: () => string } {
  const child = fork('dist/apps/api/src/main.js', {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH ?? '',
      MILLRACE_DEV_KEY: TEST_KEY,
      MILLRACE_HTTP_PORT: '0',
      MILLRACE_MANAGEMENT_PORT: '0',
      ...environment,
    },
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { process: child, output: () => output };
}

/** Starts `apps/api` and waits until it is ready. */
export async function startApiProcess(environment: Record<string, string>): Promise<ApiProcess> {
  const { process: child, output } = spawnApi(environment);
  const exited = once(child, 'exit');
  const message = await Promise.race([once(child, 'message'), exited.then(() => null)]);
  const ready = message?.[0] as { type: string; url: string; managementUrl: string; relayAddress: string } | undefined;
  if (ready?.type !== 'ready') throw new Error(`the API did not start:\n${output()}`);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  };
  return { ...ready, process: child, output, stop, [Symbol.asyncDispose]: async () => void (await stop('SIGKILL')) };
}
