import type { ModelRunner } from '#contracts';
import { isInterruption, messageOf } from './engine-failures.ts';
import type { OpenRequests } from './open-requests.ts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';
import type { Sequence } from './sequences/sequence.ts';

/** How often a prompt is begun again after its run was interrupted for no reason of its own. */
const MAX_PREFILL_RESTARTS = 3;

/** After a run that threw: ends the requests that it was for, and proves that the runner can go on. */
export class RunRecovery {
  readonly #runner: ModelRunner;
  readonly #requests: OpenRequests;

  constructor(runner: ModelRunner, requests: OpenRequests) {
    this.#runner = runner;
    this.#requests = requests;
  }

  /** @throws whatever keeps the runner from computing a prompt of one token */
  async after(work: SchedulerOutput, error: unknown): Promise<void> {
    const probeSlot = work.kind === 'prefill' ? work.sequence.slot : 0;
    if (work.kind === 'prefill') {
      if (mayRestart(work.sequence, error)) work.sequence.beginAgain();
      else this.#requests.fail(work.sequence.request, `computing the prompt failed: ${messageOf(error)}`);
    } else if (work.kind === 'decode' || work.kind === 'verify') {
      for (const { request } of work.kind === 'verify' ? [work.sequence] : [...work.rows].reverse()) {
        if (!request.cancelled) this.#requests.fail(request, `computing a token failed: ${messageOf(error)}`);
      }
    }
    this.#requests.dropCancelled(false);
    if (!isInterruption(error)) await this.#runner.prefill(probeSlot, new Int32Array(1), 0);
  }
}

/** A cancelled prompt is left to whoever drops it; one that was interrupted by mistake is computed from the start. */
function mayRestart({ request }: Sequence, error: unknown): boolean {
  if (request.cancelled) return true;
  if (!isInterruption(error) || request.prefillRestarts >= MAX_PREFILL_RESTARTS) return false;
  request.prefillRestarts += 1;
  return true;
}
