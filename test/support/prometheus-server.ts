import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface QueryResult {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A real Prometheus of its own for a test, which scrapes every second. Killed by its pid. */
export class PrometheusServer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(process: ChildProcess, folder: string, url: string) {
    this.#process = process;
    this.#folder = folder;
    this.#url = url;
  }

  static isInstalled(): boolean {
    return spawnSync('prometheus', ['--version']).status === 0;
  }

  /** @param jobs addresses, host:port, by the name of the job; @param rulesFile loaded as well */
  static async start(jobs: Readonly<Record<string, readonly string[]>>, rulesFile: string): Promise<PrometheusServer> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-prometheus-'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [rulesFile],
      scrape_configs: Object.entries(jobs).map(([job, targets]) => ({
        job_name: job,
        static_configs: [{ targets }],
      })),
    };
    // JSON is YAML as well.
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const port = await freePort();
    const process = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    process.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const server = new PrometheusServer(process, folder, `http://127.0.0.1:${port}`);
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (process.exitCode !== null) throw new Error(`prometheus ended at once:\n${log}`);
      const ready = await fetch(`${server.#url}/-/ready`).catch(() => null);
      // It looks for its targets a few seconds after it says so.
      if (ready?.ok && (await server.query('up == 1')).length === Object.values(jobs).flat().length) return server;
      await sleep(100);
    }
    throw new Error(`prometheus did not scrape its targets within 20 s:\n${log}`);
  }

  /** @throws with Prometheus' own words when the query is wrong */
  async query(query: string): Promise<QueryResult[]> {
    const response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query })}`);
    const body = (await response.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (body.status !== 'success') throw new Error(`${query}: ${body.error}`);
    return body.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The rules that could not be evaluated, with the reason. */
  async failedRules(): Promise<string[]> {
    const response = await fetch(`${this.#url}/api/v1/rules`);
    const body = (await response.json()) as {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    };
    return body.data.groups.flatMap(({ rules }) =>
      rules.flatMap(({ name, health, lastError }) =>
        health === 'ok' ? [] : [`${name}: ${health} ${lastError ?? ''}`],
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.kill('SIGKILL')) await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
