import type { ProductProcess } from './product-process.ts';

/** What a process has to be started with so that it can be looked into: a debugger's port of its own, closed as yet. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect-port=0' };

/**
 * Runs an expression in the main thread of a process, through Node's inspector: the product itself has no way to be made to
 * fail. @returns its value, where it has one that JSON can hold
 */
export async function evaluate(member: ProductProcess, expression: string): Promise<unknown> {
  await using session = await Session.open(member);
  const { result } = await session.call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  return (result as { value?: unknown } | undefined)?.value;
}

/**
 * Statements in the thread of a worker's engine, without waiting for them: `process.exit(1)` is a crash of the thread, `for (;;);` a hang. They
 * come in their turn: the inspector would put them into whatever runs, where that is a native function of an addon that calls JavaScript, too,
 * and a thread that is ended there takes the process along.
 */
export async function inEngineThread(worker: ProductProcess, statements: string): Promise<void> {
  await using session = await Session.open(worker);
  const attached = new Promise<string>((resolve) => {
    session.onEvent = (method, params) => {
      const { sessionId, workerInfo } = params as { sessionId: string; workerInfo?: { url: string } };
      if (method === 'NodeWorker.attachedToWorker' && /engine-thread/.test(workerInfo?.url ?? '')) resolve(sessionId);
    };
  });
  await session.call('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const expression = `setTimeout(() => { ${statements} });`;
  const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } });
  await session.call('NodeWorker.sendMessageToWorker', { sessionId: await attached, message });
}

/** Bytes of JavaScript objects that are in use, after what is not was collected. */
export async function usedHeapBytes(member: ProductProcess): Promise<number> {
  await using session = await Session.open(member);
  for (let round = 0; round < 3; round++) await session.call('HeapProfiler.collectGarbage', {});
  const { usedSize } = await session.call('Runtime.getHeapUsage', {});
  return Number(usedSize);
}

/** Timers of the process' main thread that have not run out, also those that do not keep it alive. */
export async function pendingTimers(member: ProductProcess): Promise<number> {
  await using session = await Session.open(member);
  const objectOf = (answer: Record<string, unknown>, field: string) =>
    (answer[field] as { objectId?: string; value?: unknown } | undefined) ?? {};
  const expression = '{ const timer = setTimeout(() => {}, 0); clearTimeout(timer); timer.constructor.prototype }';
  const { objectId: prototypeObjectId } = objectOf(await session.call('Runtime.evaluate', { expression }), 'result');
  const { objectId } = objectOf(await session.call('Runtime.queryObjects', { prototypeObjectId }), 'objects');
  const functionDeclaration = 'function () { return this.filter((timer) => timer._destroyed === false).length; }';
  const counting = { objectId, functionDeclaration, returnByValue: true };
  return Number(objectOf(await session.call('Runtime.callFunctionOn', counting), 'result').value);
}

class Session implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: Record<string, unknown>) => void>();
  onEvent: (method: string, params: unknown) => void = () => {};
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result, method, params } = JSON.parse(String(data));
      if (id === undefined) this.onEvent(method, params);
      else this.#answers.get(id)?.(result ?? {});
    });
    // A process that ends meanwhile answers nothing more.
    socket.addEventListener('close', () => {
      for (const answer of this.#answers.values()) answer({});
    });
  }

  static async open(member: ProductProcess): Promise<Session> {
    const socket = new WebSocket(await debuggerUrl(member));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error(`no debugger of the ${member.app} answers`)));
    });
    return new Session(socket);
  }

  call(method: string, params: object): Promise<Record<string, unknown>> {
    this.#calls += 1;
    const id = this.#calls;
    const answer = new Promise<Record<string, unknown>>((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
  }
}

async function debuggerUrl(member: ProductProcess): Promise<string> {
  const find = () => /Debugger listening on (ws:\S+)/.exec(member.output)?.[1];
  if (find() === undefined) member.child.kill('SIGUSR1');
  for (let attempt = 0; attempt < 500; attempt++) {
    const url = find();
    if (url !== undefined) return url;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the ${member.app} opened no port for a debugger:\n${member.output.slice(-2_000)}`);
}
