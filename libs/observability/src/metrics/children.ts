/** One label combination of a counter. */
export class CounterChild {
  value = 0;

  inc(by = 1): void {
    this.value += by;
  }
}

/** One label combination of a gauge. */
export class GaugeChild {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(by: number): void {
    this.value += by;
  }
}

/** One label combination of a histogram. */
export class HistogramChild {
  readonly #bounds: Float64Array;
  /** [bounds + 1] values that fell between a bound and the one before; the last is for those above all. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** @param times how many values of this size there are, for steps that make several at once */
  observe(value: number, times = 1): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (bounds[middle] ?? Number.POSITIVE_INFINITY)) high = middle;
      else low = middle + 1;
    }
    this.counts[low] = (this.counts[low] ?? 0) + times;
    this.sum += value * times;
  }
}
