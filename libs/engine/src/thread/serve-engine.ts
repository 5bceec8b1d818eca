import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Engine } from '../engine.ts';
import type { StepOutput } from '../step-output.ts';
import type { MessageFromEngine, MessageToEngine } from './thread-messages.ts';

/** Longest time without a turn of the thread's event loop, so that its timers, finalizers and the inspector live. */
const EVENT_LOOP_TURN_MS = 25;

/** Steps that made nothing but counters are told at least this often; each message costs both threads as much as tokens do. */
const COUNTERS_MS = 5;

/**
 * Runs an engine for the owner of `port`: the body of an engine's thread. Says `ready`, then takes requests and posts a
 * message for each output. Between steps it takes what lies on the port without a turn of the event loop; with nothing to do it
 * sleeps until the next message. After `close`, and after a fatal error, it closes the port and with it the thread.
 */
export function serveEngine(port: MessagePort, engine: Engine): void {
  let stepping = false;
  let closing = false;

  const post = (message: MessageFromEngine): void => port.postMessage(message);

  let toldAtMs = 0;
  let untold: StepOutput | null = null;

  const tell = (output: StepOutput): void => {
    untold = null;
    toldAtMs = performance.now();
    post({ type: 'step', output });
  };

  const take = (message: MessageToEngine): void => {
    if (message.type === 'submit') engine.submit(message.request);
    else if (message.type === 'cancel') engine.cancel(message.requestId, message.epoch);
    else if (message.type === 'ping') post({ type: 'pong' });
    else closing = true;
  };

  const takeWaitingMessages = (): void => {
    for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port)) {
      take(entry.message);
    }
  };

  const stepWhileThereIsWork = async (): Promise<void> => {
    stepping = true;
    let turnAtMs = performance.now();
    while (!closing) {
      const step = engine.step();
      if (!(typeof step === 'boolean' ? step : await step)) break;
      if (performance.now() - turnAtMs > EVENT_LOOP_TURN_MS) {
        await nextTurn();
        turnAtMs = performance.now();
      }
      takeWaitingMessages();
    }
    stepping = false;
    if (untold !== null) tell(untold);
    if (closing) await end();
  };

  const end = async (): Promise<void> => {
    try {
      await engine.close();
    } catch (error) {
      post({ type: 'fatal', error: error instanceof Error ? error : new Error(String(error)) });
    }
    port.close();
  };

  engine.onStep((output) => {
    if (stepping && madeNothing(output) && performance.now() - toldAtMs < COUNTERS_MS) untold = output;
    else tell(output);
  });
  engine.onFatal((error) => {
    post({ type: 'fatal', error });
    closing = true;
  });
  engine.onRunEnd(takeWaitingMessages);
  port.on('message', (message: MessageToEngine) => {
    take(message);
    if (stepping) return;
    takeWaitingMessages();
    void stepWhileThereIsWork();
  });

  const { shape, description, slots, slotTokens, interruptAddress } = engine.runner;
  const ready = { shape, description, slots, slotTokens, interruptAddress };
  post({ type: 'ready', ready, stats: engine.stats() });
}

function madeNothing({ seated, deltas, finished, failed }: StepOutput): boolean {
  return seated.length + deltas.length + finished.length + failed.length === 0;
}
