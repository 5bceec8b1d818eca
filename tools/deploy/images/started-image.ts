import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { output } from './program.ts';

interface ImageConfig {
  readonly Env: readonly string[];
  readonly Cmd: readonly string[];
  readonly User: string;
  readonly WorkingDir: string;
}

/**
 * A container of an image as its own settings want it run: their user, command and environment, on a root file system
 * that can not be written, with an empty `/tmp`. By chroot, so the network is this machine's.
 */
export class StartedImage implements AsyncDisposable {
  readonly config: ImageConfig;
  readonly root: string;
  readonly #container: string;
  readonly #process: ChildProcess;
  #log = '';

  /** @param files by their path in the container, below /run, the files that stand there, readable for the user's group */
  constructor(
    image: string,
    environment: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>> = {},
  ) {
    this.#container = output('buildah', ['from', '--pull-never', `localhost/millrace-${image}`]);
    this.config = JSON.parse(output('buildah', ['inspect', this.#container])).Docker.config;
    this.root = mkdtempSync(join(tmpdir(), 'millrace-root-'));
    output('mount', ['--bind', output('buildah', ['mount', this.#container]), this.root]);
    output('mount', ['-o', 'remount,ro,bind', this.root]);
    output('mount', ['-t', 'tmpfs', 'tmpfs', `${this.root}/tmp`]);
    output('mount', ['-t', 'tmpfs', 'tmpfs', `${this.root}/run`]);
    const [, group = 0] = this.config.User.split(':').map(Number);
    for (const [path, file] of Object.entries(files)) {
      const target = `${this.root}${path}`;
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(file, target);
      chownSync(target, 0, group);
      chmodSync(target, 0o440);
    }
    output('mount', ['-t', 'proc', 'proc', `${this.root}/proc`]);
    output('mount', ['--rbind', '/dev', `${this.root}/dev`]);
    this.#process = this.#inside(this.config.Cmd, environment);
    this.#process.stdout?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#process.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
  }

  get log(): string {
    return this.#log;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What a command in the container says, as the image's user. */
  async say(command: readonly string[]): Promise<{ code: number | null; text: string }> {
    const child = this.#inside(command, {});
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, text };
  }

  /** Asks it to stop. @returns its exit code, null after a signal */
  async stop(): Promise<number | null> {
    if (this.running) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      await ended;
    }
    return this.#process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    output('umount', ['--recursive', '--lazy', this.root]);
    rmdirSync(this.root);
    output('buildah', ['umount', this.#container]);
    output('buildah', ['rm', this.#container]);
  }

  #inside(command: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    const { Env, User, WorkingDir } = this.config;
    const variables = [...Env, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
    return spawn('chroot', [`--userspec=${User}`, this.root, 'env', '-i', '-C', WorkingDir, ...variables, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
