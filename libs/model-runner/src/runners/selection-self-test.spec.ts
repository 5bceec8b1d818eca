import { describe, expect, it } from 'vitest';
import { type DecoderShape, NEAR_NATS, type RowCandidates, type RowWish } from '#contracts';
import { selectionProblem } from './selection-self-test.ts';

const VOCABULARY = 100;
const COUNT = 20;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
type Spoil = (candidates: Writable<RowCandidates>, wish: RowWish, row: number) => void;

/** Rows of logits in two places, as with a device, and a selection that is right but for what `spoil` does to it. */
function tested(spoil: Spoil, slots = 4) {
  const onDevice = Float32Array.from({ length: slots * VOCABULARY }, (_, i) => 30 * Math.sin(i * 12.9898));
  const logits = new Float32Array(onDevice.length);
  const shape: DecoderShape = { vocabularySize: VOCABULARY, layers: 1, kvHeads: 1, headSize: 8, maxPositions: 64 };
  const rowOf = (row: number) => onDevice.subarray(row * VOCABULARY, (row + 1) * VOCABULARY);
  const select = (wishes: readonly RowWish[]) =>
    wishes.map((wish, row) => {
      const candidates = rightSelection(rowOf(row), wish);
      spoil(candidates, wish, row);
      return candidates;
    });
  const fetchRow = (row: number): void => logits.set(rowOf(row), row * VOCABULARY);
  const runner = { prefill: () => {}, decode: () => {}, logits, shape, slots, slotTokens: 8 };
  return selectionProblem(runner, { select, fetchRow });
}

function rightSelection(row: Float32Array, { allowed, listed, inverseTemperature }: RowWish): Writable<RowCandidates> {
  const tokens = [...row.keys()].filter((token) => allowed === null || (allowed[token >>> 5]! >>> (token & 31)) & 1);
  const largest = tokens.sort((a, b) => row[b]! - row[a]!).slice(0, COUNT);
  const exponents = tokens.map((token) => (row[token]! - row[largest[0]!]!) * inverseTemperature);
  const sum = (values: readonly number[]) => values.reduce((total, x) => total + Math.exp(x), 0);
  const near = sum(exponents.filter((x) => x > -NEAR_NATS));
  return {
    logits: Float32Array.from(largest, (token) => row[token]!),
    tokenIds: Int32Array.from(largest),
    complete: false,
    listedLogits: Float32Array.from(listed, (token) => row[token]!),
    topLogits: new Float32Array(0),
    topTokenIds: new Int32Array(0),
    logSumExp: Math.log(sum([...row])),
    mass: { all: sum(exponents), nearLow: near, nearHigh: near },
  };
}

describe('selectionProblem', () => {
  it('finds nothing wrong with a device that is right, with any number of slots', async () => {
    for (const slots of [1, 2, 5]) expect(await tested(() => {}, slots)).toBeNull();
  });

  const faults: [string, RegExp, Spoil][] = [
    [
      'leaves out the largest',
      /is left out/,
      (it) => {
        it.tokenIds = it.tokenIds.slice(1);
        it.logits = it.logits.slice(1);
      },
    ],
    [
      'selects one twice',
      /selected twice/,
      (it) => {
        it.tokenIds[1] = it.tokenIds[0]!;
        it.logits[1] = it.logits[0]!;
      },
    ],
    [
      'mistakes a logit',
      /selected with a logit of/,
      (it) => {
        it.logits[3]! += 1;
      },
    ],
    [
      'does not sort',
      /above the one before/,
      (it) => {
        it.tokenIds.reverse();
        it.logits.reverse();
      },
    ],
    [
      'ignores a mask',
      /not allowed.*with a mask/,
      (it, wish) => {
        if (wish.allowed !== null) it.tokenIds[1]! |= 1;
      },
    ],
    [
      'takes another row',
      /in row 1 of 2/,
      (it, _, row) => {
        if (row === 1) it.tokenIds.fill(7);
      },
    ],
    [
      'gathers other tokens',
      /the logit of token 99 comes as/,
      (it) => {
        if (it.listedLogits.length > 1) it.listedLogits[1]! += 1;
      },
    ],
    [
      'adds in too few bits',
      /the tokens weigh/,
      (it) => {
        it.mass = { ...it.mass, all: it.mass.all * 1.0001 };
      },
    ],
    [
      'forgets near tokens',
      /the near tokens weigh/,
      (it) => {
        it.mass = { ...it.mass, nearHigh: it.mass.nearLow * 0.9, nearLow: 0 };
      },
    ],
    [
      'is wrong about all',
      /log Σ exp is/,
      (it) => {
        it.logSumExp += 0.01;
      },
    ],
    [
      'gives no number',
      /log Σ exp is NaN/,
      (it) => {
        it.logSumExp = Number.NaN;
      },
    ],
  ];

  it.each(faults)('says what is wrong where a device %s', async (_, problem, spoil) => {
    expect(await tested(spoil)).toMatch(problem);
  });

  it('says with what a device fails, since whole rows need no selection', async () => {
    const problem = await tested(() => {
      throw new Error('Non-zero status code returned while running TopK node.');
    });
    expect(problem).toBe('it fails with Non-zero status code returned while running TopK node.');
  });
});
