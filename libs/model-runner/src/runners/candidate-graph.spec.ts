import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NEAR_NATS } from '#contracts';
import { CApiSession } from '../binding/c-api-session.ts';
import { candidateGraph, FIGURES } from './candidate-graph.ts';
import type { SmallGraph } from './small-graph.ts';

const VOCABULARY = 83;
const SIZE = { vocabularySize: VOCABULARY, logitsType: 'float32', count: 40, topCount: 5 } as const;
const BYTES = 12;

let free: CApiSession;
let masked: CApiSession;
beforeAll(() => {
  free = open(candidateGraph(SIZE, false));
  masked = open(candidateGraph(SIZE, true));
});
afterAll(() => {
  free.close();
  masked.close();
});

function open({ model, inputNames, outputNames }: SmallGraph): CApiSession {
  return new CApiSession({ model, inputNames, outputNames, provider: 'cpu', threads: 1, spinUs: 0 });
}

function run(logits: Float32Array, inverseTemperature: number, listed: number[], allowed: Uint8Array | null = null) {
  const session = allowed === null ? free : masked;
  const outputs = {
    values: new Float32Array(SIZE.count),
    ids: new Int32Array(SIZE.count),
    listed: new Float32Array(listed.length),
    figures: new Float32Array(FIGURES.length),
    topValues: new Float32Array(SIZE.topCount),
    topIds: new Int32Array(SIZE.topCount),
  };
  const call = session.newRun();
  call.setInput(0, session.tensor(logits, [1, VOCABULARY]));
  call.setInput(1, session.tensor(Float32Array.of(inverseTemperature), [1, 1]));
  call.setInput(2, session.tensor(Int32Array.from(listed), [1, listed.length]));
  if (allowed !== null) call.setInput(3, session.tensor(allowed, [1, BYTES]));
  const { topValues, topIds, ...always } = outputs;
  const wanted = allowed === null ? Object.values(always) : [...Object.values(always), topValues, topIds];
  wanted.forEach((values, i) => {
    call.setOutput(i, session.tensor(values, [1, values.length]));
  });
  call.run();
  const [largest = 0, sum = 0, all = 0, nearLow = 0, nearHigh = 0] = outputs.figures;
  return { ...outputs, largest, sum, all, nearLow, nearHigh };
}

const LOGITS = Float32Array.from({ length: VOCABULARY }, (_, token) => 20 * Math.sin(token * 1.7) - 0.01 * token);

describe('candidateGraph', () => {
  it.each([1, 1 / 0.7, 1 / 1.5])('finds the largest logits, those listed, and the sums, at %s', (inverse) => {
    const found = run(LOGITS, inverse, [3, 82, 3]);
    const order = [...LOGITS.keys()].sort((a, b) => LOGITS[b]! - LOGITS[a]!).slice(0, SIZE.count);
    expect([...found.ids]).toEqual(order);
    expect([...found.values]).toEqual(order.map((token) => LOGITS[token]));
    expect([...found.listed]).toEqual([LOGITS[3], LOGITS[82], LOGITS[3]]);
    const below = [...LOGITS].map((logit) => logit - LOGITS[order[0]!]!);
    const sumOf = (exponents: number[]) => exponents.reduce((total, x) => total + Math.exp(x), 0);
    const exponents = below.map((x) => x * inverse);
    const near = sumOf(exponents.filter((x) => x > -NEAR_NATS));
    expect(found.largest).toBe(LOGITS[order[0]!]);
    expect(Math.abs(found.sum / sumOf(below) - 1)).toBeLessThan(2e-6);
    expect(Math.abs(found.all / sumOf(exponents) - 1)).toBeLessThan(2e-6);
    expect(Math.abs(found.nearLow / near - 1)).toBeLessThan(2e-6);
    expect(Math.abs(found.nearHigh / near - 1)).toBeLessThan(2e-6);
  });

  it('looks for the largest among allowed tokens, by their bits, and among all', () => {
    const allowed = Uint8Array.from({ length: BYTES }, (_, byte) =>
      byte === 10 ? 0b101 : byte % 2 === 0 ? 0b10010 : 0,
    );
    const isAllowed = (token: number) => (allowed[token >> 3]! & (1 << (token & 7))) !== 0;
    const order = [...LOGITS.keys()].sort((a, b) => LOGITS[b]! - LOGITS[a]!);
    const expected = order.filter(isAllowed);
    const found = run(LOGITS, 1, [0], allowed);
    expect([...found.ids.subarray(0, expected.length)]).toEqual(expected);
    expect(found.values[expected.length]).toBe(Number.NEGATIVE_INFINITY);
    expect([...found.topIds]).toEqual(order.slice(0, SIZE.topCount));
    expect([...found.topValues]).toEqual(order.slice(0, SIZE.topCount).map((token) => LOGITS[token]));
    const all = expected.reduce((total, token) => total + Math.exp(LOGITS[token]! - LOGITS[expected[0]!]!), 0);
    expect(Math.abs(found.all / all - 1)).toBeLessThan(2e-6);
  });

  it('gives no sum where a logit is NaN or +Infinity, wherever it stands, or all are −Infinity', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
      for (let place = 0; place < VOCABULARY; place++) {
        const logits = LOGITS.slice();
        logits[place] = bad;
        const { largest, sum } = run(logits, 1, [0]);
        expect(largest + Math.log(sum)).not.toSatisfy(Number.isFinite);
      }
    const { largest, sum } = run(new Float32Array(VOCABULARY).fill(Number.NEGATIVE_INFINITY), 1, [0]);
    expect(largest + Math.log(sum)).not.toSatisfy(Number.isFinite);
  });
});
