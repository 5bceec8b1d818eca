import type { EngineParts } from './engine-parts.ts';
import { type RowLogits, wholeRow } from './row-logits.ts';
import type { ChoiceFailure } from './sampling/token-chooser.ts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';
import type { ActiveRequest } from './sequences/active-request.ts';
import type { Sequence } from './sequences/sequence.ts';
import { VerifiedTokens } from './speculation/verified-tokens.ts';

type Work<Kind extends SchedulerOutput['kind']> = SchedulerOutput & { readonly kind: Kind };

/**
 * What a step makes of its run: sequences advance, and pace and proposer learn what it took. Slots do not move here, because later rows' logits are
 * still to be read: sequences that came to their end, and requests that can not go on, are collected.
 */
export class StepUpdate {
  readonly verified = new VerifiedTokens();
  decodeRuns = 0;
  prefillRuns = 0;
  decodedTokens = 0;
  prefilledTokens = 0;
  /** At their end since whoever takes them out looked. */
  readonly ended: Sequence[] = [];
  /** With the reason. */
  readonly broken = new Map<ActiveRequest, ChoiceFailure>();
  readonly #parts: EngineParts;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** Before a cancel that came during the run is heard of: a run's time counts whatever becomes of its tokens. */
  learn(work: SchedulerOutput, runMs: number): void {
    if (work.kind !== 'decode') return;
    this.#parts.scheduler.pace.decoded(runMs);
    if (work.rows.length === 1) this.#parts.proposer?.decoded(runMs);
  }

  take(work: SchedulerOutput, runMs: number): void {
    if (work.kind === 'prefill') this.#prefilled(work, runMs);
    else if (work.kind === 'decode') this.#decoded(work.rows, runMs);
    else if (work.kind === 'verify') this.#verified(work, runMs);
    else if (work.kind === 'join') this.#joined(work.sequences);
  }

  #prefilled({ sequence, chunkTokens, part, parts }: Work<'prefill'>, runMs: number): void {
    const { scheduler, prefixes, runs } = this.#parts;
    const { request, chunk } = sequence;
    scheduler.pace.computed({ tokens: chunkTokens, parts }, part, sequence.computedTokens, runMs);
    const chunkMs = (chunk?.ms ?? 0) + runMs;
    if (chunk !== null) {
      chunk.part += 1;
      chunk.ms = chunkMs;
      if (chunk.part < chunk.parts) return;
      sequence.chunk = null;
      sequence.mayLoseChunk = true;
    }
    scheduler.pace.prefilled(chunkTokens, sequence.computedTokens, chunkMs);
    this.prefillRuns += 1;
    this.prefilledTokens += chunkTokens;
    sequence.computedTokens += chunkTokens;
    prefixes.save(sequence);
    if (request.cancelled || sequence.computedTokens < sequence.prefillTokenIds.length) return;
    let row = runs.logitsOf(0);
    // Of a choice that lost what it had, they are behind its answer.
    if (request.hasWaitingSiblings && sequence.prefillTokenIds.length === request.promptLength) {
      request.promptLogits = row.whole().slice();
      row = wholeRow(request.promptLogits);
    }
    scheduler.promotePrefill();
    this.#advance(sequence, row);
  }

  #decoded(rows: readonly Sequence[], runMs: number): void {
    const standing = this.#parts.masks.standing(rows, runMs);
    this.decodeRuns += 1;
    this.decodedTokens += rows.length - standing.size;
    for (let row = 0; row < rows.length; row++) {
      if (standing.has(rows[row])) continue;
      rows[row].computedTokens += 1;
      this.#parts.prefixes.saveAnswer(rows[row], 1);
      this.#advance(rows[row], this.#parts.runs.logitsOf(row));
    }
  }

  #verified({ sequence, proposals }: Work<'verify'>, runMs: number): void {
    const { prefixes, proposer, runs } = this.#parts;
    proposer?.verified(1 + proposals.length, sequence.computedTokens, runMs);
    const before = sequence.computedTokens;
    this.decodedTokens += this.verified.take(sequence, proposals, (row) => this.#advance(sequence, runs.logitsOf(row)));
    prefixes.saveAnswer(sequence, sequence.computedTokens - before);
  }

  #joined(siblings: readonly Sequence[]): void {
    for (const sibling of siblings) {
      const { promptLogits } = sibling.request;
      if (promptLogits !== null) this.#advance(sibling, wholeRow(promptLogits));
    }
    for (const { request } of siblings) {
      if (!request.hasWaitingSiblings) request.promptLogits = null;
    }
  }

  /** Chooses the sequence's next token, unless it has to compute tokens that it has. */
  #advance(sequence: Sequence, logits: RowLogits): void {
    const { request, choice, completionTokens: firstIndex } = sequence;
    const { requestId, epoch } = request.input;
    if (request.cancelled || sequence.catchingUp) return;
    const chosen = this.#parts.chooser.choose(sequence, logits);
    if ('problem' in chosen) {
      this.broken.set(request, chosen);
      return;
    }
    const { tokenId, logprobs } = chosen;
    sequence.accept(tokenId);
    const text = sequence.newText;
    const delta = { requestId, epoch, choice, firstIndex, tokenIds: [tokenId], text, logprobs };
    this.#parts.outbox.delta(delta, request.input.whole === true, firstIndex === 0 || sequence.showsFirst);
    if (sequence.finishReason !== null) this.ended.push(sequence);
  }
}
