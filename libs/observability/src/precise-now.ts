/** Unix time in ms with fractions of a µs, the same in every thread of a process. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
