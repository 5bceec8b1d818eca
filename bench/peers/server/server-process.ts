import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../test/support/free-port.ts';

const START_LIMIT_MS = 60_000;

/** A peer's HTTP server on a free port of loopback; killed by its pid when disposed. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** Starts the program and waits until it lists its models. */
  static async start(program: string, flags: (port: number) => string[]): Promise<ServerProcess> {
    const port = await freePort();
    const child = spawn(program, flags(port), { stdio: ['ignore', 'ignore', 'inherit'] });
    const server = new ServerProcess(`http://127.0.0.1:${port}`, child);
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    const limitMs = performance.now() + START_LIMIT_MS;
    while (!(await answers(`${server.url}/v1/models`))) {
      if (failure !== undefined) throw failure;
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) throw new Error(`${program} exited with ${end}`);
      if (performance.now() > limitMs) {
        await server[Symbol.asyncDispose]();
        throw new Error(`${program} does not answer after ${START_LIMIT_MS} ms`);
      }
      await sleep(200);
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );
