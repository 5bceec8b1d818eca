import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describeMachine, type Machine } from './machine.ts';
import { plotOf } from './plot.ts';
import { median } from './statistics.ts';

/** One figure of a suite beside its peer's, both measured in the same run. */
export interface Row {
  name: string;
  value: number;
  unit: string;
  /** What the figure is compared with; null for a figure that stands alone. */
  peer: string | null;
  peerValue: number | null;
  /** value ÷ peerValue; where rounds are paired, the median of their ratios. */
  ratio: number | null;
  target: string | null;
  holds: boolean | null;
}

export interface SuiteReport {
  suite: string;
  date: string;
  commit: string;
  machine: Machine;
  rows: Row[];
}

/**
 * A figure that should be at least `atLeast` times its peer's. Both sides' samples are of the same rounds, in order: the
 * ratio is the median of the rounds' own ratios, so that a machine whose speed drifts from round to round favours nobody.
 */
export function pairedRatioRow(
  name: string,
  values: readonly number[],
  unit: string,
  peer: string,
  peerValues: readonly number[],
  atLeast?: number,
): Row {
  const ratio = median(values.map((value, round) => value / (peerValues[round] ?? Number.NaN)));
  return {
    name,
    value: median(values),
    unit,
    peer,
    peerValue: median(peerValues),
    ratio,
    target: atLeast === undefined ? null : `>= ${atLeast}x`,
    holds: atLeast === undefined ? null : ratio >= atLeast,
  };
}

/** A figure that should exceed its peer's by at most `atMost` of the same unit. */
export function differenceRow(
  name: string,
  value: number,
  unit: string,
  peer: string,
  peerValue: number,
  atMost?: number,
): Row {
  return {
    name,
    value,
    unit,
    peer,
    peerValue,
    ratio: peerValue === 0 ? null : value / peerValue,
    target: atMost === undefined ? null : `<= peer + ${atMost} ${unit}`,
    holds: atMost === undefined ? null : value - peerValue <= atMost,
  };
}

/** A figure that should be at most `atMost` times its peer's. */
export function ratioRow(
  name: string,
  value: number,
  unit: string,
  peer: string,
  peerValue: number,
  atMost?: number,
): Row {
  const ratio = value / peerValue;
  const target = atMost === undefined ? null : `<= ${atMost}x`;
  return { name, value, unit, peer, peerValue, ratio, target, holds: atMost === undefined ? null : ratio <= atMost };
}

/** A figure that should be at most `atMost`. */
export function limitRow(name: string, value: number, unit: string, atMost: number): Row {
  const target = `<= ${atMost} ${unit}`;
  return { name, value, unit, peer: null, peerValue: null, ratio: null, target, holds: value <= atMost };
}

export function suiteReport(suite: string, rows: Row[]): SuiteReport {
  return { suite, date: new Date().toISOString(), commit: commitOfSources(), machine: describeMachine(), rows };
}

/** A machine that figures were brought to may have the files alone: then what `MILLRACE_BENCH_COMMIT` tells. */
function commitOfSources(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return process.env.MILLRACE_BENCH_COMMIT ?? 'unknown';
  }
}

/** A value with three digits or so; nothing where there is none. */
export const shownValue = (value: number | null): string => {
  if (value === null) return '';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
};

export function markdownTable(report: SuiteReport): string {
  const { machine } = report;
  const lines = [
    `# ${report.suite}`,
    '',
    `${machine.cpu}, ${machine.cores} cores (${machine.features.join(', ')}), ${machine.memoryGiB} GiB, ${machine.gpu === null ? '' : `${machine.gpu}, `}${machine.os}, Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}; ${report.date}, commit ${report.commit}.`,
    'Both sides of each row were measured in the same run, in turns.',
    '',
    '| figure | value | peer | peer value | ratio | target | holds |',
    '|---|---:|---|---:|---:|---|---|',
  ];
  for (const row of report.rows) {
    const holds = row.holds === null ? '' : row.holds ? 'yes' : '**no**';
    lines.push(
      `| ${row.name} | ${shownValue(row.value)} ${row.unit} | ${row.peer ?? ''} | ${shownValue(row.peerValue)}${row.peerValue === null ? '' : ` ${row.unit}`} | ${row.ratio === null ? '' : `${row.ratio.toFixed(3)}x`} | ${row.target ?? ''} | ${holds} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** A figure that stands alone. */
export function figureRow(name: string, value: number, unit: string): Row {
  return { name, value, unit, peer: null, peerValue: null, ratio: null, target: null, holds: null };
}

/** The row, told at once: a suite that is ended before its end has shown what it had. */
export function told(row: Row): Row {
  console.error(
    `${row.name}: ${shownValue(row.value)} ${row.unit}${row.peer === null ? '' : `; ${row.peer}: ${shownValue(row.peerValue)}`}`,
  );
  return row;
}

/** Writes `<suite>.json`, `<suite>.md` and `<suite>.svg` into `folder`. @param plot bars of the rows with a peer when left out */
export function writeReport(report: SuiteReport, folder: URL, plot: (report: SuiteReport) => string = plotOf): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${report.suite}.json`, folder), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(
    new URL(`${report.suite}.md`, folder),
    `${markdownTable(report)}\n![${report.suite}](${report.suite}.svg)\n`,
  );
  writeFileSync(new URL(`${report.suite}.svg`, folder), plot(report));
}
