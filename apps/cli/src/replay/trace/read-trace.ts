import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { TraceError } from './trace-error.ts';
import { formatOf, type LineReader } from './trace-formats.ts';
import type { TracedRequest } from './traced-request.ts';

/** Which part of a trace is wanted, in its own time. */
export interface TraceWindow {
  readonly fromMs: number;
  readonly forMs: number;
  readonly mostRequests: number;
}

export interface Trace {
  /** The format's name. */
  readonly format: string;
  /** In the order in which they came, `atMs` from the window's begin. */
  readonly requests: readonly TracedRequest[];
  /** Requests of the window without a prompt or an answer: they failed when the trace was taken. */
  readonly empty: number;
}

/**
 * The window's requests. A file is read no further than to the window's end.
 * @throws TraceError with file, line, field and value
 */
export async function readTrace(file: string, { fromMs, forMs, mostRequests }: TraceWindow): Promise<Trace> {
  const requests: TracedRequest[] = [];
  let empty = 0;
  let known: { name: string; read: LineReader } | null = null;
  let firstMs: number | null = null;
  for await (const { line, place } of linesOf(file)) {
    if (known === null) {
      const { format, read } = formatOf(line, place);
      known = { name: format.name, read };
      if (format.header) continue;
    }
    const traced = known.read(line, place);
    firstMs ??= traced.atMs;
    const atMs = traced.atMs - firstMs - fromMs;
    if (atMs >= forMs || requests.length >= mostRequests) break;
    if (atMs < 0 && fromMs > 0) continue;
    if (traced.promptTokens === 0 || traced.answerTokens === 0) empty += 1;
    else requests.push({ ...traced, atMs: Math.max(0, atMs) });
  }
  if (known === null) throw new TraceError(file, 'The file is empty.', 'Give a trace.');
  if (requests.length === 0) {
    const window = forMs === Number.POSITIVE_INFINITY ? '' : ` for ${forMs / 1_000} s`;
    throw new TraceError(
      file,
      `No request lies from ${fromMs / 1_000} s on${window}.`,
      'Choose another --from or --for.',
    );
  }
  // Lines of a trace may be some ms out of order.
  return { format: known.name, requests: requests.sort((one, other) => one.atMs - other.atMs), empty };
}

/** The lines that are not blank, each with `file:line`. @throws TraceError when the file can not be read */
async function* linesOf(file: string): AsyncGenerator<{ line: string; place: string }> {
  const bytes = createReadStream(file);
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  bytes.on('error', reject);
  const lines = createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  try {
    for (let number = 1; ; number += 1) {
      const { done, value } = await Promise.race([lines.next(), failed]);
      if (done) return;
      const line = number === 1 ? value.replace(/^\uFEFF/, '') : value;
      if (line.trim() !== '') yield { line, place: `${file}:${number}` };
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new TraceError(file, `The file can not be read (${error.message}).`, 'Name a trace.', { cause: error });
    }
    throw error;
  } finally {
    bytes.destroy();
  }
}
