import { ortApi } from '../ort/ort-api.ts';

/**
 * Stops the run that a runner is in, from any thread of the process; its call then throws `RunInterruptedError`. When no
 * call is running, the runner's next one is stopped.
 * @param address the runner's `interruptAddress`
 */
export function interruptRun(address: bigint): void {
  ortApi().setTerminate(address);
}
