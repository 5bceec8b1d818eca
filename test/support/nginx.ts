import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export const hasNginx = spawnSync('nginx', ['-v']).status === 0;

/** docker-compose's settings of nginx, as they stand there. */
export const nginxSettings = readFileSync(new URL('../../docker/compose/nginx.conf', import.meta.url), 'utf8');

/**
 * A real nginx with docker-compose's own settings, in front of two servers on loopback, whose addresses stand in the place
 * of the names that Docker would resolve.
 *
 * @example
 * await using nginx = await Nginx.before([first.port, second.port]);
 * await fetch(`${nginx.url}/v1/models`);
 */
export class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(url: string, folder: string, process: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = process;
  }

  static async before(ports: readonly [number, number]): Promise<Nginx> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'millrace-nginx-'));
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      nginxSettings
        .replace('api-1:8000 resolve', `127.0.0.1:${ports[0]}`)
        .replace('api-2:8000 resolve', `127.0.0.1:${ports[1]}`)
        .replace('listen 8080', `listen 127.0.0.1:${port}`)
        .replace('worker_processes auto', 'worker_processes 1')
        .replaceAll('/tmp/', `${folder}/`),
    );
    const started = ['-e', join(folder, 'error.log'), '-c', file, '-g', 'daemon off;'];
    const nginx = new Nginx(`http://127.0.0.1:${port}`, folder, spawn('nginx', started, { stdio: 'ignore' }));
    for (let attempt = 0; attempt < 200; attempt += 1) {
      // Whatever answers: that the servers behind it are there is theirs to know.
      const answer = await fetch(`${nginx.url}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
      await answer?.arrayBuffer();
      if (answer !== null) return nginx;
      await sleep(25);
    }
    await nginx[Symbol.asyncDispose]();
    throw new Error('nginx did not answer within 5 s');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true });
  }
}
