import { type ChildProcess, fork } from 'node:child_process';

/** How long a side may take to end when it is told to, before it is killed. */
const END_LIMIT_MS = 5_000;

/**
 * One side of a comparison in a process of its own, so that two sessions never spin against each other and either
 * side's memory is its own. Sides are asked in turns; the one that is not asked is idle.
 */
export class Side implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts `file` (below bench/sides) and waits until it says it is ready. */
  static async start(file: string, settings: Record<string, unknown>): Promise<Side> {
    const child = fork(new URL(`./sides/${file}`, import.meta.url), {
      execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
      serialization: 'advanced',
    });
    const side = new Side(child);
    try {
      await side.#ask({ start: settings });
    } catch (error) {
      await side[Symbol.asyncDispose]();
      throw error;
    }
    return side;
  }

  /** Runs one measurement and returns its samples. */
  async measure<Samples>(task: Record<string, unknown>): Promise<Samples> {
    return (await this.#ask({ measure: task })) as Samples;
  }

  #ask(message: Record<string, unknown>): Promise<unknown> {
    const child = this.#child;
    if (this.#gone) return Promise.reject(this.#lost());
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        settle();
      };
      const onMessage = (answer: { error?: string; result?: unknown }) =>
        finish(() => (answer.error === undefined ? resolve(answer.result) : reject(new Error(answer.error))));
      const onExit = () => finish(() => reject(this.#lost()));
      child.on('message', onMessage);
      child.on('exit', onExit);
      // One that is just ending takes no message any more: its exit tells more than that.
      child.send(message, () => {});
    });
  }

  get #gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #lost(): Error {
    return new Error(`a side of the comparison exited with ${this.#child.exitCode ?? this.#child.signalCode}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_LIMIT_MS);
    await gone;
    clearTimeout(timer);
  }
}

/** The child's half: answers `start` once and `measure` as often as it is asked, and ends with its parent, whatever it has open. */
export function serveSide<Settings, Task, Samples>(
  start: (settings: Settings) => Promise<(task: Task) => Promise<Samples>>,
): void {
  let measure: ((task: Task) => Promise<Samples>) | undefined;
  process.on('disconnect', () => process.exit());
  process.on('message', async (message: { start?: Settings; measure?: Task }) => {
    try {
      let result: Samples | undefined;
      if (message.start !== undefined) measure = await start(message.start);
      else if (message.measure !== undefined && measure !== undefined) result = await measure(message.measure);
      process.send?.({ result });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
