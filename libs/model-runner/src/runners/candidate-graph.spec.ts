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

describe('candidateGraph of a large vocabulary, in parts', () => {
  const vocabularySize = 9_001;
  const [rows, count, bytes] = [2, 512, Math.ceil(vocabularySize / 8)];
  const logits = Float32Array.from(
    { length: rows * vocabularySize },
    (_, i) => ((i * 7_919) % 20_011) / 700 - (i % 5) * 1e-3,
  );
  const select = (allowed: Uint8Array | null) => {
    const size = { vocabularySize, logitsType: 'float32', count, topCount: 5 } as const;
    const session = open(candidateGraph(size, allowed !== null));
    const call = session.newRun();
    const [values, ids] = [new Float32Array(rows * count), new Int32Array(rows * count)];
    call.setInput(0, session.tensor(logits, [rows, vocabularySize]));
    call.setInput(1, session.tensor(new Float32Array(rows).fill(1), [rows, 1]));
    call.setInput(2, session.tensor(new Int32Array(rows), [rows, 1]));
    if (allowed !== null) call.setInput(3, session.tensor(allowed, [rows, bytes]));
    call.setOutput(0, session.tensor(values, [rows, count]));
    call.setOutput(1, session.tensor(ids, [rows, count]));
    call.setOutput(2, session.tensor(new Float32Array(rows), [rows, 1]));
    call.setOutput(3, session.tensor(new Float32Array(rows * FIGURES.length), [rows, FIGURES.length]));
    if (allowed !== null) {
      call.setOutput(4, session.tensor(new Float32Array(rows * 5), [rows, 5]));
      call.setOutput(5, session.tensor(new Int32Array(rows * 5), [rows, 5]));
    }
    call.run();
    session.close();
    return Array.from({ length: rows }, (_, row) => ({
      values: [...values.subarray(row * count, (row + 1) * count)],
      ids: [...ids.subarray(row * count, (row + 1) * count)],
    }));
  };
  const rowOf = (row: number) => logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);

  it('finds the largest of each row, and each by its token', () => {
    for (const [row, { values, ids }] of select(null).entries()) {
      expect(values).toEqual([...rowOf(row)].sort((a, b) => b - a).slice(0, count));
      expect(new Set(ids).size).toBe(count);
      expect(ids.map((token) => rowOf(row)[token])).toEqual(values);
    }
  });

  it('gives −∞ and token 0 where fewer are allowed', () => {
    const tokens = [3, 2_250, 2_251, 8_999, 9_000];
    const allowed = new Uint8Array(rows * bytes);
    for (let row = 0; row < rows; row++)
      for (const token of tokens) allowed[row * bytes + (token >> 3)]! |= 1 << (token & 7);
    for (const [row, { values, ids }] of select(allowed).entries()) {
      expect(ids.slice(0, 5).sort((a, b) => a - b)).toEqual(tokens);
      expect(values.slice(0, 5)).toEqual(tokens.map((token) => rowOf(row)[token]!).sort((a, b) => b - a));
      expect(values.slice(5).every((value) => value === Number.NEGATIVE_INFINITY)).toBe(true);
      expect(ids.slice(5).every((token) => token === 0)).toBe(true);
    }
  });
});
