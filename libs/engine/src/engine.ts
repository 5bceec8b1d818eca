import type { ModelRunner, TokenTable } from '#contracts';
import type { TokenConstraints } from './constraints/token-constraint.ts';
import { failureOf, isInterruption, messageOf } from './engine-failures.ts';
import type { EnginePort } from './engine-port.ts';
import type { EngineRequest } from './engine-request.ts';
import { ModelRuns } from './model-runs.ts';
import { PrefixCache } from './prefix/prefix-cache.ts';
import { RequestIntake } from './request-intake.ts';
import { type RowLogits, wholeRow } from './row-logits.ts';
import { type ChoiceFailure, TokenChooser } from './sampling/token-chooser.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';
import { type ActiveRequest, requestKey } from './sequences/active-request.ts';
import type { Sequence } from './sequences/sequence.ts';
import { KvBudget } from './slots/kv-budget.ts';
import { KvMemory } from './slots/kv-memory.ts';
import type { TokenProposer } from './speculation/token-proposer.ts';
import { VerifiedTokens } from './speculation/verified-tokens.ts';
import { StepOutbox } from './step-outbox.ts';
import type { EngineStats, RequestFailure, StepOutput } from './step-output.ts';
import { TokenTexts } from './text/token-texts.ts';

export interface EngineOptions {
  /** Owned by the engine from here on: `close` closes it. */
  readonly runner: ModelRunner;
  readonly tokenTable: TokenTable;
  /** Most prompt tokens computed between two decode runs, and the largest chunk of a prompt; 3 or more. */
  readonly prefillChunkTokens: number;
  /**
   * Most tokens of a resumed choice that are decoded anew, which gives the same bits; more are prefilled, which is
   * quicker and may differ in the last bits. 16,384 by default.
   */
  readonly replayLimitTokens?: number;
  /**
   * How many times as long as a decode run an answer's next token may take while prompts are computed: chunks become smaller
   * for it, by measured times. 0, the default, computes chunks of `prefillChunkTokens` always.
   */
  readonly decodeStretch?: number;
  /** Milliseconds of prompts' runs between two decode runs that are allowed in any case; 8 by default. */
  readonly leastPrefillMs?: number;
  /**
   * Most tokens whose keys and values are in memory at a time, of all sequences; as many as the slots hold when left out. With
   * runners that took all memory at the start it changes nothing.
   */
  readonly kvTokens?: number;
  /**
   * Least milliseconds between two outputs of which nothing is urgent (first tokens, ends, failures), where decode runs are quicker. 0, the
   * default, publishes each step's.
   */
  readonly publishIntervalMs?: number;
  /** Without it, requests with a constraint are refused. */
  readonly constraints?: TokenConstraints;
  /**
   * What it proposes for an answer that runs alone is verified, several tokens in one run, where the runner can (`verification`). The tokens then
   * are those that a prompt's run of them gives, whose last bits differ from decode runs'. Without it none are.
   */
  readonly proposer?: TokenProposer | undefined;
}

const DEFAULT_REPLAY_LIMIT_TOKENS = 16_384;

/** How often a prompt is begun again after its run was interrupted for no reason of its own. */
const MAX_PREFILL_RESTARTS = 3;

/**
 * Runs requests on a model, many at a time, in the caller's thread. Nothing happens by itself: whoever owns it calls
 * `step` while that returns true. With a runner that blocks its thread a step makes no promise.
 */
export class Engine implements EnginePort {
  readonly runner: ModelRunner;
  readonly #scheduler: Scheduler;
  readonly #prefixes: PrefixCache;
  readonly #budget: KvBudget;
  readonly #memory: KvMemory;
  readonly #intake: RequestIntake;
  readonly #runs: ModelRuns;
  readonly #chooser: TokenChooser;
  readonly #proposer: TokenProposer | null;
  readonly #verified = new VerifiedTokens();
  readonly #outbox: StepOutbox;
  readonly #requests = new Map<string, ActiveRequest>();
  readonly #cancelled: ActiveRequest[] = [];
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  readonly #readStats = () => this.stats();
  #runEnded: () => void = () => {};
  #fatal: Error | null = null;
  #stepInFlight: Promise<boolean> | null = null;

  /** What the step in hand found: sequences at their end, and requests that can not go on, with the reason. */
  readonly #ended: Sequence[] = [];
  readonly #broken = new Map<ActiveRequest, ChoiceFailure>();

  /** What the runner counted before this engine had it. */
  readonly #transferredBefore: number;
  readonly #wholeRowsBefore: number;
  #runBeganAtMs = 0;
  #steps = 0;
  #decodeRuns = 0;
  #prefillRuns = 0;
  #decodedTokens = 0;
  #prefilledTokens = 0;

  constructor(options: EngineOptions) {
    const { runner } = options;
    this.runner = runner;
    this.#transferredBefore = runner.transferredBytes ?? 0;
    this.#wholeRowsBefore = runner.deviceLogits?.wholeRows ?? 0;
    const kvTokens = runner.residentTokens === null ? undefined : options.kvTokens;
    this.#outbox = new StepOutbox(options.publishIntervalMs);
    this.#budget = new KvBudget(kvTokens ?? Number.POSITIVE_INFINITY, runner.slotTokens);
    this.#prefixes = new PrefixCache(runner);
    this.#proposer = options.proposer ?? null;
    this.#scheduler = new Scheduler({
      slots: runner.slots,
      parkingSlots: runner.parkingSlots,
      prefillChunkTokens: options.prefillChunkTokens,
      decodeStretch: options.decodeStretch,
      prefillParts: runner.prefillParts?.count,
      leastPrefillMs: options.leastPrefillMs,
      budget: this.#budget,
      proposer: this.#proposer,
      maxProposals: (runner.verification?.maxTokens ?? 1) - 1,
      copySlot: (...copy) => this.#memory.copySlot(...copy),
      moveSlot: (...move) => this.#memory.moveSlot(...move),
      loadPrefix: (sequence) => this.#loadPrefix(sequence),
    });
    this.#memory = new KvMemory(runner, this.#budget, () => this.#scheduler.seating.holders());
    this.#intake = new RequestIntake({
      runner,
      texts: new TokenTexts(options.tokenTable),
      replayLimitTokens: options.replayLimitTokens ?? DEFAULT_REPLAY_LIMIT_TOKENS,
      constraints: options.constraints ?? null,
    });
    this.#runs = new ModelRuns(runner);
    this.#chooser = new TokenChooser(runner.shape.vocabularySize);
  }

  /** A second submit of an attempt that still runs is ignored. */
  submit(input: EngineRequest): void {
    const key = requestKey(input.requestId, input.epoch);
    if (this.#requests.has(key)) return;
    const request = this.#fatal === null ? this.#intake.take(input) : failureOf(input, this.#fatal.message);
    if ('code' in request) {
      this.#outbox.failed(request);
      return;
    }
    this.#finishDelivered(request);
    if (request.finished) return;
    this.#requests.set(key, request);
    this.#scheduler.add(request);
  }

  /** Choices whose last token was delivered, but not their end: all that is left is to say so. */
  #finishDelivered(request: ActiveRequest): void {
    for (const sequence of request.sequences) {
      if (sequence.phase === 'finished' || sequence.finishReason === null) continue;
      sequence.end();
      this.#publishFinish(sequence);
    }
  }

  cancel(requestId: string, epoch: number): void {
    const request = this.#requests.get(requestKey(requestId, epoch));
    if (request === undefined || request.cancelled) return;
    request.cancelled = true;
    this.#cancelled.push(request);
  }

  onStep(listener: (output: StepOutput) => void): void {
    this.#outbox.addListener(listener);
  }

  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
  }

  /** Called after each run and before its tokens are chosen: the last moment for a cancel to stop them. */
  onRunEnd(listener: () => void): void {
    this.#runEnded = listener;
  }

  stats(): EngineStats {
    const { slots, parking, shares, waiting, parks } = this.#scheduler.seating;
    return {
      running: slots.occupied,
      waiting,
      parked: parking.parked,
      parksTotal: parks,
      fairnessLagSteps: Math.round(shares.lagSteps),
      freeSlots: slots.free,
      kvTokens: slots.sumOf((sequence) => sequence.computedTokens),
      kvBudgetTokens: this.#budget.limited ? this.#budget.tokens : this.runner.slots * this.runner.slotTokens,
      kvResidentTokens: this.runner.residentTokens,
      preemptionsTotal: this.#scheduler.preemptions,
      stepsTotal: this.#steps,
      decodeRunsTotal: this.#decodeRuns,
      prefillRunsTotal: this.#prefillRuns,
      verifyRunsTotal: this.#verified.runs,
      proposedTokensTotal: this.#verified.proposed,
      acceptedTokensTotal: this.#verified.accepted,
      decodedTokensTotal: this.#decodedTokens,
      prefilledTokensTotal: this.#prefilledTokens,
      prefixQueriedTokensTotal: this.#prefixes.queriedTokens,
      prefixHitTokensTotal: this.#prefixes.hitTokens,
      prefixTokens: this.#prefixes.heldTokens,
      prefixEvictionsTotal: this.#prefixes.evictions,
      deviceTransferBytesTotal: (this.runner.transferredBytes ?? 0) - this.#transferredBefore,
      wholeRowsTotal: (this.runner.deviceLogits?.wholeRows ?? 0) - this.#wholeRowsBefore,
    };
  }

  /** One step: schedule, run, sample, detokenize, publish. False when there was nothing to run; a promise only where the runner makes one. */
  step(): boolean | Promise<boolean> {
    if (this.#fatal !== null) return this.#publishIdle();
    try {
      this.#dropCancelled();
      const work = this.#scheduler.schedule();
      if (work.kind === 'idle') return this.#publishIdle();
      if (work.kind === 'prefill') this.#outbox.publishWaiting(this.#steps, this.#readStats);
      if (work.kind === 'prefill') this.#memory.makeRoom(work.chunkTokens);
      else if (work.kind === 'verify') this.#memory.makeRoom(1 + work.proposals.length);
      else this.#memory.makeRoom(1, this.#scheduler.seating.slots.occupied);
      if (work.kind === 'prefill' && work.sequence.untouched && work.part === 0) this.#tellSeat(work.sequence);
      const run = this.#run(work);
      return run === null ? this.#updateFromOutput(work) : this.#trackStep(run);
    } catch (error) {
      return this.#die(error);
    }
  }

  /** Steps until there is nothing left to do. */
  async runUntilIdle(): Promise<void> {
    while (await this.step());
  }

  async close(): Promise<void> {
    for (const request of this.#requests.values()) this.cancel(request.input.requestId, request.input.epoch);
    await this.#stepInFlight;
    this.#dropCancelled();
    this.#publishIdle();
    await this.runner.close();
  }

  /** Starts the run. Null when it is complete already; otherwise the rest of the step. */
  #run(work: SchedulerOutput): Promise<boolean> | null {
    let run: unknown;
    this.#runBeganAtMs = performance.now();
    try {
      run = this.#runs.start(work);
    } catch (error) {
      return this.#recover(work, error);
    }
    if (!(run instanceof Promise)) return null;
    return run.then(
      () => this.#updateFromOutput(work),
      (error: unknown) => this.#recover(work, error),
    );
  }

  #trackStep(rest: Promise<boolean>): Promise<boolean> {
    const step = rest.catch((error: unknown) => this.#die(error));
    this.#stepInFlight = step;
    return step;
  }

  #loadPrefix(sequence: Sequence): void {
    this.#memory.makeRoom(sequence.prefillTokenIds.length);
    this.#prefixes.load(sequence);
  }

  #tellSeat({ request, choice }: Sequence): void {
    const { requestId, epoch } = request.input;
    this.#outbox.seated({ requestId, epoch, choice, atMs: performance.timeOrigin + performance.now() });
  }

  #updateFromOutput(work: SchedulerOutput): boolean {
    const runMs = performance.now() - this.#runBeganAtMs;
    if (work.kind === 'decode') this.#learnDecode(work.rows.length, runMs);
    this.#runEnded();
    this.#steps += 1;
    if (work.kind === 'prefill') this.#updatePrefill(work, runMs);
    else if (work.kind === 'decode') this.#updateDecode(work.rows);
    else if (work.kind === 'verify') this.#updateVerify(work, runMs);
    else if (work.kind === 'join') this.#updateJoin(work.sequences);
    this.#settle();
    this.#dropCancelled();
    if (work.kind === 'decode' || work.kind === 'verify') this.#outbox.publishSoon(this.#steps, this.#readStats, runMs);
    else this.#outbox.publish(this.#steps, this.stats());
    return true;
  }

  #updatePrefill({ sequence, chunkTokens, part, parts }: SchedulerOutput & { kind: 'prefill' }, runMs: number): void {
    const { request, chunk } = sequence;
    this.#scheduler.pace.computed({ tokens: chunkTokens, parts }, part, sequence.computedTokens, runMs);
    const chunkMs = (chunk?.ms ?? 0) + runMs;
    if (chunk !== null) {
      chunk.part += 1;
      chunk.ms = chunkMs;
      if (chunk.part < chunk.parts) return;
      sequence.chunk = null;
      sequence.mayLoseChunk = true;
    }
    this.#scheduler.pace.prefilled(chunkTokens, sequence.computedTokens, chunkMs);
    this.#prefillRuns += 1;
    this.#prefilledTokens += chunkTokens;
    sequence.computedTokens += chunkTokens;
    this.#prefixes.save(sequence);
    if (request.cancelled || sequence.computedTokens < sequence.prefillTokenIds.length) return;
    let row = this.#runs.logitsOf(0);
    if (request.hasWaitingSiblings) {
      request.promptLogits = row.whole().slice();
      row = wholeRow(request.promptLogits);
    }
    this.#scheduler.promotePrefill();
    this.#advance(sequence, row);
  }

  #updateDecode(rows: readonly Sequence[]): void {
    this.#decodeRuns += 1;
    this.#decodedTokens += rows.length;
    for (let row = 0; row < rows.length; row++) {
      rows[row].computedTokens += 1;
      this.#advance(rows[row], this.#runs.logitsOf(row));
    }
  }

  #learnDecode(rows: number, runMs: number): void {
    this.#scheduler.pace.decoded(runMs);
    if (rows === 1) this.#proposer?.decoded(runMs);
  }

  #updateVerify({ sequence, proposals }: SchedulerOutput & { kind: 'verify' }, runMs: number): void {
    this.#proposer?.verified(1 + proposals.length, sequence.computedTokens, runMs);
    this.#decodedTokens += this.#verified.take(sequence, proposals, (row) =>
      this.#advance(sequence, this.#runs.logitsOf(row)),
    );
  }

  #updateJoin(siblings: readonly Sequence[]): void {
    for (const sibling of siblings) {
      const { promptLogits } = sibling.request;
      if (promptLogits !== null) this.#advance(sibling, wholeRow(promptLogits));
    }
    for (const { request } of siblings) {
      if (!request.hasWaitingSiblings) request.promptLogits = null;
    }
  }

  /** Chooses the sequence's next token, unless it has to compute tokens that it has. Slots do not move here: later rows' logits are still to be read. */
  #advance(sequence: Sequence, logits: RowLogits): void {
    const { request, choice, completionTokens: firstIndex } = sequence;
    const { requestId, epoch } = request.input;
    if (request.cancelled || sequence.catchingUp) return;
    const chosen = this.#chooser.choose(sequence, logits);
    if ('problem' in chosen) {
      this.#broken.set(request, chosen);
      return;
    }
    const { tokenId, logprobs } = chosen;
    sequence.accept(tokenId);
    const text = sequence.newText;
    const delta = { requestId, epoch, choice, firstIndex, tokenIds: [tokenId], text, logprobs };
    this.#outbox.delta(delta, request.input.whole === true, firstIndex === 0 || sequence.showsFirst);
    if (sequence.finishReason !== null) this.#ended.push(sequence);
  }

  /** Takes out what ended in this step; only now do rows move. */
  #settle(): void {
    if (this.#broken.size > 0) {
      for (const [request, { problem, code }] of this.#broken) {
        this.#fail(request, problem, code);
      }
      this.#broken.clear();
    }
    if (this.#ended.length === 0) return;
    // Highest row first: a last row that ends as well is then not moved into a hole.
    this.#ended.sort((a, b) => b.slot - a.slot);
    for (const sequence of this.#ended) {
      if (sequence.phase === 'finished') continue;
      this.#publishFinish(sequence);
      this.#scheduler.finish(sequence);
      if (sequence.request.finished) this.#requests.delete(sequence.request.key);
    }
    this.#ended.length = 0;
  }

  #publishFinish(sequence: Sequence): void {
    const { requestId, epoch } = sequence.request.input;
    this.#outbox.finished({
      requestId,
      epoch,
      choice: sequence.choice,
      reason: sequence.finishReason ?? 'cancelled',
      stopString: sequence.stopString,
      completionTokens: sequence.completionTokens,
      cachedPromptTokens: sequence.request.cachedPromptTokens,
    });
  }

  #dropCancelled(): void {
    if (this.#cancelled.length === 0) return;
    for (const request of this.#cancelled.splice(0)) {
      for (const sequence of this.#scheduler.abort(request)) this.#publishFinish(sequence);
      this.#requests.delete(request.key);
    }
  }

  #fail(request: ActiveRequest, message: string, code: RequestFailure['code'] = 'engine_failed'): void {
    if (!this.#requests.delete(request.key)) return;
    for (const sequence of request.sequences) this.#prefixes.forget(sequence);
    this.#scheduler.abort(request);
    this.#outbox.failed({ ...failureOf(request.input, message), code });
  }

  /** After a run that threw: ends the requests it was for, and proves that the runner can go on. */
  async #recover(work: SchedulerOutput, error: unknown): Promise<boolean> {
    this.#runEnded();
    this.#steps += 1;
    const probeSlot = work.kind === 'prefill' ? work.sequence.slot : 0;
    if (work.kind === 'prefill') {
      if (this.#mayRestart(work.sequence, error)) work.sequence.beginAgain();
      else this.#fail(work.sequence.request, `computing the prompt failed: ${messageOf(error)}`);
    } else if (work.kind === 'decode' || work.kind === 'verify') {
      for (const sequence of work.kind === 'verify' ? [work.sequence] : [...work.rows].reverse()) {
        if (!sequence.request.cancelled) this.#fail(sequence.request, `computing a token failed: ${messageOf(error)}`);
      }
    }
    this.#dropCancelled();
    if (!isInterruption(error)) await this.runner.prefill(probeSlot, new Int32Array(1), 0);
    this.#outbox.publish(this.#steps, this.stats());
    return true;
  }

  /** A cancelled prompt is left to `#dropCancelled`; one that was interrupted by mistake is computed from the start. */
  #mayRestart(sequence: Sequence, error: unknown): boolean {
    const { request } = sequence;
    if (request.cancelled) return true;
    if (!isInterruption(error) || request.prefillRestarts >= MAX_PREFILL_RESTARTS) return false;
    request.prefillRestarts += 1;
    return true;
  }

  #publishIdle(): boolean {
    this.#outbox.publish(this.#steps, this.stats());
    return false;
  }

  #die(cause: unknown): boolean {
    const error = new Error(`the engine can not go on: ${messageOf(cause)}`, { cause });
    this.#fatal = error;
    for (const request of this.#requests.values()) this.#outbox.failed(failureOf(request.input, error.message));
    this.#requests.clear();
    this.#publishIdle();
    for (const listener of this.#fatalListeners) listener(error);
    return false;
  }
}
