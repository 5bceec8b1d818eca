import { csvFields, csvValues, jsonFields, shortened } from './line-fields.ts';
import { TraceError } from './trace-error.ts';
import type { TracedRequest } from './traced-request.ts';

/** Reads one line; `atMs` is from any begin that all lines of the trace share. @throws TraceError */
export type LineReader = (line: string, place: string) => TracedRequest;

export interface TraceFormat {
  readonly name: string;
  /** By what it is recognised, for people. */
  readonly mark: string;
  /** Whether the first line names columns. */
  readonly header: boolean;
  /** How further lines are read where the first line is this format's; null where it is not. */
  reader(firstLine: string): LineReader | null;
}

/** Azure's LLM inference traces of 2023 and 2024. */
const AZURE: TraceFormat = {
  name: 'Azure LLM inference',
  mark: 'a header with TIMESTAMP,ContextTokens,GeneratedTokens',
  header: true,
  reader: (firstLine) =>
    csvReader(firstLine, ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'], (fields) => ({
      atMs: fields.dateMs('TIMESTAMP'),
      promptTokens: fields.count('ContextTokens'),
      answerTokens: fields.count('GeneratedTokens'),
      blocks: [],
    })),
};

const BURST_GPT: TraceFormat = {
  name: 'BurstGPT',
  mark: 'a header with Timestamp,Request tokens,Response tokens',
  header: true,
  reader: (firstLine) =>
    csvReader(firstLine, ['Timestamp', 'Request tokens', 'Response tokens'], (fields) => ({
      atMs: fields.amount('Timestamp') * 1_000,
      promptTokens: fields.count('Request tokens'),
      answerTokens: fields.count('Response tokens'),
      blocks: [],
    })),
};

const MOONCAKE: TraceFormat = {
  name: 'Mooncake',
  mark: 'JSON lines with timestamp, input_length, output_length and hash_ids',
  header: false,
  reader: (firstLine) =>
    /^\s*\{/.test(firstLine) &&
    ['timestamp', 'input_length', 'output_length'].every((name) => firstLine.includes(`"${name}"`))
      ? (line, place) => {
          const fields = jsonFields(place, line);
          return {
            atMs: fields.amount('timestamp'),
            promptTokens: fields.count('input_length'),
            answerTokens: fields.count('output_length'),
            blocks: fields.numbers('hash_ids'),
          };
        }
      : null,
};

const FORMATS: readonly TraceFormat[] = [AZURE, BURST_GPT, MOONCAKE];

/** @param place of the first line @throws TraceError when no format is the first line's */
export function formatOf(firstLine: string, place: string): { format: TraceFormat; read: LineReader } {
  for (const format of FORMATS) {
    const read = format.reader(firstLine);
    if (read !== null) return { format, read };
  }
  const known = FORMATS.map(({ name, mark }) => `${name} (${mark})`).join(', ');
  throw new TraceError(place, `${shortened(firstLine)} begins no trace that is known.`, `Give one of: ${known}.`);
}

function csvReader(
  header: string,
  needed: readonly string[],
  read: (fields: ReturnType<typeof csvFields>) => TracedRequest,
): LineReader | null {
  const columns = csvValues(header);
  if (!needed.every((name) => columns.includes(name))) return null;
  return (line, place) => read(csvFields(place, columns, line));
}
