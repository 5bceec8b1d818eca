import type { SimulatedRequest } from './simulated-request.ts';
import { stepMs, type WorkerSpeed } from './worker-speed.ts';

/** Part of a step by which `nextEventMs` may be off its own sum. */
const ROUNDING = 1e-6;

interface Seat {
  readonly request: SimulatedRequest;
  /** Prompt tokens, and those of a resumed answer, still to be computed. */
  prefillTokens: number;
  /** The step in which its last token comes; known when its prefill is done. */
  lastStep: number;
}

/**
 * A worker as the queue sees it: an engine that in each step decodes one token of every sequence whose prompt is computed,
 * and computes one chunk of the oldest prompt that is not. Between events it jumps over whole steps.
 */
export class SimulatedWorker {
  readonly readyAtMs: number;
  /** When it is killed; null as long as nobody has asked it to stop. */
  killAtMs: number | null = null;
  readonly #speed: WorkerSpeed;
  readonly #prefilling: Seat[] = [];
  readonly #decoding: Seat[] = [];
  #step = 0;
  #timeMs: number;

  constructor(speed: WorkerSpeed, readyAtMs: number) {
    this.#speed = speed;
    this.readyAtMs = readyAtMs;
    this.#timeMs = readyAtMs;
  }

  get running(): number {
    return this.#prefilling.length + this.#decoding.length;
  }

  takesJobs(nowMs: number): boolean {
    return this.killAtMs === null && nowMs >= this.readyAtMs && this.running < this.#speed.slots;
  }

  take(request: SimulatedRequest, nowMs: number): void {
    if (this.running === 0) this.#timeMs = nowMs;
    const prefillTokens = request.contextTokens + request.deliveredTokens;
    this.#prefilling.push({ request, prefillTokens, lastStep: Number.POSITIVE_INFINITY });
  }

  /** Runs all steps that end by `untilMs`. @returns the requests that ended, with the time */
  advance(untilMs: number): SimulatedRequest[] {
    const ended: SimulatedRequest[] = [];
    while (this.running > 0) {
      const chunk = this.#chunkTokens();
      const oneMs = stepMs(this.#speed, this.#decoding.length, chunk);
      const possible = Math.floor((untilMs - this.#timeMs) / oneMs + ROUNDING);
      if (possible < 1) break;
      const steps = chunk > 0 ? 1 : Math.min(possible, this.#nextEnd() - this.#step);
      this.#step += steps;
      this.#timeMs += steps * oneMs;
      this.#endSequences(ended);
      if (chunk > 0) this.#endChunk(chunk);
    }
    return ended;
  }

  /** When something ends next if nothing new comes: a chunk, or an answer. */
  get nextEventMs(): number {
    if (this.running === 0) return Number.POSITIVE_INFINITY;
    const chunk = this.#chunkTokens();
    const oneMs = stepMs(this.#speed, this.#decoding.length, chunk);
    return this.#timeMs + (chunk > 0 ? 1 : this.#nextEnd() - this.#step) * oneMs;
  }

  /** Ends it. @returns the requests that it had, to go on elsewhere behind what they have delivered */
  kill(): SimulatedRequest[] {
    for (const { request, lastStep } of this.#decoding) {
      request.deliveredTokens = request.generatedTokens - (lastStep - this.#step);
    }
    return [...this.#decoding.splice(0), ...this.#prefilling.splice(0)].map(({ request }) => request);
  }

  #chunkTokens(): number {
    return Math.min(this.#prefilling[0]?.prefillTokens ?? 0, this.#speed.prefillChunkTokens);
  }

  #nextEnd(): number {
    return this.#decoding.reduce((least, { lastStep }) => Math.min(least, lastStep), Number.POSITIVE_INFINITY);
  }

  #endSequences(ended: SimulatedRequest[]): void {
    for (let index = this.#decoding.length - 1; index >= 0; index -= 1) {
      const seat = this.#decoding[index];
      if (seat === undefined || seat.lastStep > this.#step) continue;
      this.#decoding.splice(index, 1);
      seat.request.endedMs = this.#timeMs;
      ended.push(seat.request);
    }
  }

  #endChunk(tokens: number): void {
    const [seat] = this.#prefilling;
    if (seat === undefined) return;
    seat.prefillTokens -= tokens;
    if (seat.prefillTokens > 0) return;
    this.#prefilling.shift();
    // The prompt's last chunk gives the first token.
    seat.request.firstTokenMs ??= this.#timeMs;
    const { generatedTokens, deliveredTokens } = seat.request;
    seat.lastStep = this.#step + Math.max(1, generatedTokens - deliveredTokens - 1);
    this.#decoding.push(seat);
  }
}
