import { BUCKETS_PER_NAT, type LogitsKernels, type Nearness, type NearTokens } from '#contracts/ports';

/** What `argmax` answers instead of a token when the logits can not be used. */
export const NO_TOKEN = -1;

/** The loops over rows in JavaScript: for runners that bring no quicker ones along. */
export const PLAIN_KERNELS: LogitsKernels = { argmax, mask, weigh, tokensOf, sort };

/**
 * Groups of eight are only compared with the best so far; which of them it is, is looked for in the rare group that
 * raises it. A NaN makes `<=` false and so ends up in that rare part.
 */
function argmax(logits: Float32Array): number {
  const length = logits.length;
  const grouped = length - (length % 8);
  let best = Number.NEGATIVE_INFINITY;
  let bestIndex = NO_TOKEN;
  let index = 0;
  for (; index < grouped; index += 8) {
    if (
      logits[index] <= best &&
      logits[index + 1] <= best &&
      logits[index + 2] <= best &&
      logits[index + 3] <= best &&
      logits[index + 4] <= best &&
      logits[index + 5] <= best &&
      logits[index + 6] <= best &&
      logits[index + 7] <= best
    ) {
      continue;
    }
    for (let member = index; member < index + 8; member++) {
      const logit = logits[member];
      if (logit <= best) continue;
      if (!(logit < Number.POSITIVE_INFINITY)) return NO_TOKEN;
      best = logit;
      bestIndex = member;
    }
  }
  for (; index < length; index++) {
    const logit = logits[index];
    if (logit <= best) continue;
    if (!(logit < Number.POSITIVE_INFINITY)) return NO_TOKEN;
    best = logit;
    bestIndex = index;
  }
  return bestIndex;
}

/** Whole words are handled at once: one copy for 32 allowed tokens, one fill for 32 forbidden ones. */
function mask(to: Float32Array, logits: Float32Array, allowed: Int32Array): void {
  for (let word = 0; word * 32 < logits.length; word++) {
    const bits = allowed[word];
    const first = word * 32;
    const end = Math.min(first + 32, logits.length);
    if (bits === 0) to.fill(Number.NEGATIVE_INFINITY, first, end);
    else if (bits === -1) for (let token = first; token < end; token++) to[token] = logits[token];
    else
      for (let token = first; token < end; token++)
        to[token] = (bits & (1 << (token - first))) === 0 ? Number.NEGATIVE_INFINITY : logits[token];
  }
}

function weigh(logits: Float32Array, { largest, temperature, rangeNats }: Nearness, to: NearTokens): number {
  const { tokens, buckets, mass, counts, exps } = to;
  const inverseTemperature = 1 / temperature;
  const lowest = lowestNear(largest, temperature, rangeNats);
  let found = 0;
  for (let token = 0; token < logits.length; token++) {
    if (logits[token] < lowest) continue;
    const x = (logits[token] - largest) * inverseTemperature;
    if (x > -rangeNats) {
      const bucket = (-x * BUCKETS_PER_NAT) | 0;
      const rest = x + bucket / BUCKETS_PER_NAT;
      tokens[found] = token;
      buckets[found] = bucket;
      found++;
      mass[bucket] += exps[bucket] * (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6))));
      counts[bucket]++;
    }
  }
  return found;
}

/** A little lower than the range, so that rounding loses no token to a quick look. */
function lowestNear(largest: number, temperature: number, rangeNats: number): number {
  return largest - rangeNats * temperature * 1.000001;
}

function tokensOf(bucket: number, { tokens, buckets, counts }: NearTokens, _count: number, to: Int32Array): void {
  const wanted = counts[bucket];
  let found = 0;
  for (let place = 0; found < wanted; place++) if (buckets[place] === bucket) to[found++] = tokens[place];
}

function sort(tokens: Int32Array, count: number, logits: Float32Array): void {
  tokens.subarray(0, count).sort((a, b) => logits[b] - logits[a] || a - b);
}
