import { limitRow, type Row } from './suite-report.ts';

const MIB = 1024 * 1024;
/** What a worker may take of memory beside its keys and values. */
const WEIGHTS_FACTOR = 1.3;
const REST_BYTES = 250_000_000;

interface PeakMemory {
  readonly peakBytes: number;
  /** Of the model's files. */
  readonly weightBytes: number;
  /** Of keys and values as configured. */
  readonly kvBytes: number;
}

/** The most memory that a process has had, beside what it may have with its model. */
export function peakMemoryRow(title: string, { peakBytes, weightBytes, kvBytes }: PeakMemory): Row {
  const limitBytes = weightBytes * WEIGHTS_FACTOR + kvBytes + REST_BYTES;
  return limitRow(title, peakBytes / MIB, 'MiB', Math.round(limitBytes / MIB));
}
