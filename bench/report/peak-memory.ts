import { limitRow, type Row } from './suite-report.ts';

const MIB = 1024 * 1024;
/** What a worker may take of memory beside its keys and values. */
const WEIGHTS_FACTOR = 1.3;
const REST_MIB = 250;

interface PeakMemory {
  readonly peakBytes: number;
  /** Of the model's files. */
  readonly weightBytes: number;
  /** Of keys and values as configured. */
  readonly kvBytes: number;
}

/** The most memory that a process has had, beside what it may have with its model. */
export function peakMemoryRow(title: string, { peakBytes, weightBytes, kvBytes }: PeakMemory): Row {
  const limitMib = (weightBytes * WEIGHTS_FACTOR + kvBytes) / MIB + REST_MIB;
  return limitRow(title, peakBytes / MIB, 'MiB', Math.round(limitMib));
}
