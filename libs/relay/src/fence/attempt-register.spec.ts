import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransientSet } from '#collections';
import type { relay } from '#contracts';
import { delta, finished } from '../testing/frames.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import type { Attempt, AttemptHolder } from './attempt.ts';
import { AttemptRegister } from './attempt-register.ts';

class Holder implements AttemptHolder {
  readonly canResume = true;
  readonly workerId: string;
  readonly processId = '';
  readonly attempts = new TransientSet<Attempt>();
  readonly cancels: string[] = [];

  constructor(workerId: string) {
    this.workerId = workerId;
  }

  sendCancel(requestId: string, epoch: number): void {
    this.cancels.push(`${requestId}/${epoch}`);
  }
}

type Frame =
  | { readonly kind: 'delta'; readonly value: relay.Delta }
  | { readonly kind: 'finished'; readonly value: relay.Finished };

function take(register: AttemptRegister, holder: AttemptHolder, frame: Frame): void {
  register.step(holder, {
    step: 0,
    deltas: frame.kind === 'delta' ? [frame.value] : [],
    finished: frame.kind === 'finished' ? [frame.value] : [],
    failed: [],
  });
}

/** What a correct worker would send for one choice: its tokens in the given piece sizes, then its end. */
function correctFrames(choice: number, pieces: readonly number[], epoch: number): Frame[] {
  const frames: Frame[] = [];
  let index = 0;
  for (const size of pieces) {
    const tokenIds = Array.from({ length: size }, (_, offset) => tokenOf(choice, index + offset));
    frames.push({ kind: 'delta', value: delta('r', index, { choice, epoch, tokenIds }) });
    index += size;
  }
  frames.push({ kind: 'finished', value: finished('r', { choice, epoch, completionTokens: index }) });
  return frames;
}

const tokenOf = (choice: number, index: number) => choice * 1_000 + index;

const choicesOfPieces = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }), {
  minLength: 1,
  maxLength: 3,
});

describe('the fence', () => {
  it('delivers every token exactly once and in order for any interleaving of correct choices', () => {
    fc.assert(
      fc.property(choicesOfPieces, fc.infiniteStream(fc.nat()), (choices, picks) => {
        const register = new AttemptRegister();
        const holder = new Holder('w');
        const sink = new RecordingSink();
        register.open('r', 1, choices.length, sink);
        register.claim(holder, { requestId: 'r', epoch: 1 });
        const queues = choices.map((pieces, choice) => correctFrames(choice, pieces, 1));
        for (let left = queues.flat().length; left > 0; left -= 1) {
          const open = queues.filter((queue) => queue.length > 0);
          take(register, holder, open[picks.next().value % open.length]!.shift()!);
        }
        expect(sink.errors).toEqual([]);
        expect(sink.ends).toHaveLength(choices.length);
        expect(register.size).toBe(0);
        for (const [choice, pieces] of choices.entries()) {
          const total = pieces.reduce((sum, size) => sum + size, 0);
          expect(sink.tokens(choice)).toEqual(Array.from({ length: total }, (_, index) => tokenOf(choice, index)));
        }
      }),
    );
  });

  it('never delivers a wrong, repeated or skipped token, whatever is lost, repeated, reordered or sent by others', () => {
    const mishap = fc.record({ frame: fc.nat(), epoch: fc.integer({ min: 1, max: 3 }), holder: fc.nat({ max: 1 }) });
    fc.assert(
      fc.property(choicesOfPieces, fc.array(mishap, { maxLength: 60 }), (choices, mishaps) => {
        const register = new AttemptRegister();
        const [rightful, foreign] = [new Holder('rightful'), new Holder('foreign')];
        const sink = new RecordingSink();
        register.open('r', 2, choices.length, sink);
        register.claim(rightful, { requestId: 'r', epoch: 2 });
        for (const { frame, epoch, holder } of mishaps) {
          const all = choices.flatMap((pieces, choice) => correctFrames(choice, pieces, epoch));
          take(register, holder === 0 ? rightful : foreign, all[frame % all.length]!);
        }
        for (const choice of choices.keys()) {
          const tokens = sink.tokens(choice);
          expect(tokens).toEqual(tokens.map((_, index) => tokenOf(choice, index)));
        }
        const ended = sink.ends.length === choices.length;
        expect(sink.errors.length).toBeLessThanOrEqual(1);
        expect(register.size).toBe(ended || sink.errors.length === 1 ? 0 : 1);
        expect(foreign.attempts.size).toBe(0);
      }),
    );
  });

  it('fails the attempt at the first duplicate of a delta and at the first gap, and delivers nothing after it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 10 }),
        fc.nat(),
        fc.boolean(),
        (pieces, pick, repeat) => {
          const register = new AttemptRegister();
          const holder = new Holder('w');
          const sink = new RecordingSink();
          register.open('r', 1, 1, sink);
          register.claim(holder, { requestId: 'r', epoch: 1 });
          const frames = correctFrames(0, pieces, 1);
          // Not the last delta: a gap shows when a later delta comes.
          const at = pick % (pieces.length - 1);
          frames.splice(at, repeat ? 0 : 1, ...(repeat ? [frames[at]!] : []));
          for (const frame of frames) take(register, holder, frame);
          expect(sink.errors).toMatchObject([{ refusal: repeat ? 'repeated_index' : 'skipped_index' }]);
          expect(sink.deltas).toHaveLength(repeat ? at + 1 : at);
          expect(sink.ends).toEqual([]);
          expect(holder.cancels).toEqual(['r/1']);
        },
      ),
    );
  });

  it('takes text without tokens at the next index, for text that was held back', () => {
    const register = new AttemptRegister();
    const holder = new Holder('w');
    const sink = new RecordingSink();
    register.open('r', 1, 1, sink);
    register.claim(holder, { requestId: 'r', epoch: 1 });
    take(register, holder, { kind: 'delta', value: delta('r', 0) });
    take(register, holder, { kind: 'delta', value: delta('r', 1, { tokenIds: [], text: 'held' }) });
    take(register, holder, { kind: 'finished', value: finished('r') });
    expect([sink.text, sink.ends.length, sink.errors.length]).toEqual(['100held', 1, 0]);
  });

  it('refuses frames of a choice that has ended while another runs, and fails the attempt', () => {
    const register = new AttemptRegister();
    const holder = new Holder('w');
    const sink = new RecordingSink();
    register.open('r', 1, 2, sink);
    register.claim(holder, { requestId: 'r', epoch: 1 });
    take(register, holder, { kind: 'finished', value: finished('r') });
    take(register, holder, { kind: 'delta', value: delta('r', 0) });
    expect(sink.errors).toMatchObject([{ refusal: 'after_finish' }]);
    expect(register.refusedTotal.after_finish).toBe(1);
  });

  it('ends the granted attempts of a lost worker only, and never grants them again', () => {
    const register = new AttemptRegister();
    const [lost, alive] = [new Holder('lost'), new Holder('alive')];
    const sinks = [new RecordingSink(), new RecordingSink(), new RecordingSink()] as const;
    for (const [index, sink] of sinks.entries()) register.open(`r${index}`, 1, 1, sink);
    register.claim(lost, { requestId: 'r0', epoch: 1 });
    register.claim(alive, { requestId: 'r1', epoch: 1 });
    register.lose(lost, 'gone');
    expect(sinks.map(({ errors }) => errors.map(({ code }) => code))).toEqual([['worker_lost'], [], []]);
    expect(register.claim(alive, { requestId: 'r0', epoch: 1 })).toBeNull();
    expect(register.claim(alive, { requestId: 'r2', epoch: 1 })).toEqual([]);
  });
});
