import type { SuiteReport } from './suite-report.ts';
import { xmlText } from './xml-text.ts';

/** A curve over the offered load. */
export interface Curve {
  readonly name: string;
  /** [x, y] from left to right. */
  readonly points: readonly (readonly [number, number])[];
  /** Drawn as a dashed grey line: a bound or a limit. */
  readonly bound?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly curves: readonly Curve[];
  /** Largest value shown; the largest of all curves when left out. */
  readonly yMost?: number;
}

const COLUMNS = 3;
const PANEL = { width: 380, height: 270 };
const PLOT = { left: 56, top: 34, width: 300, height: 150 };
const HEAD = 46;
const COLOURS = ['#3b6fb6', '#c0392b', '#2e8b57', '#8e44ad'];
const shown = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

/** Panels of curves over a common axis, three beside each other. */
export function linePlotOf(report: SuiteReport, panels: readonly Panel[]): string {
  const width = COLUMNS * PANEL.width;
  const height = HEAD + Math.ceil(panels.length / COLUMNS) * PANEL.height;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="20" font-size="15" font-weight="600">${xmlText(report.suite)}</text>`,
    `<text x="12" y="37" fill="#555">${xmlText(`${report.machine.cpu}, ${report.machine.cores} cores; ${report.date.slice(0, 10)}, commit ${report.commit}`)}</text>`,
    ...panels.map((panel, index) =>
      drawn(panel, (index % COLUMNS) * PANEL.width, HEAD + Math.floor(index / COLUMNS) * PANEL.height),
    ),
    '</svg>',
  ].join('\n')}\n`;
}

function drawn({ title, xLabel, yLabel, curves, yMost }: Panel, left: number, top: number): string {
  const points = curves.flatMap((curve) => curve.points);
  const mostX = Math.max(...points.map(([x]) => x), Number.MIN_VALUE);
  const mostY = yMost ?? Math.max(...points.map(([, y]) => y), Number.MIN_VALUE);
  const atX = (x: number) => PLOT.left + (x / mostX) * PLOT.width;
  const atY = (y: number) => PLOT.top + PLOT.height * (1 - Math.min(y, mostY) / mostY);
  const ticks = [0, 0.5, 1].flatMap((share) => [
    `<line x1="${PLOT.left}" x2="${PLOT.left + PLOT.width}" y1="${atY(share * mostY)}" y2="${atY(share * mostY)}" stroke="#ddd"/>`,
    `<text x="${PLOT.left - 5}" y="${atY(share * mostY) + 4}" text-anchor="end" fill="#555" font-size="10">${shown(share * mostY)}</text>`,
    `<text x="${atX(share * mostX)}" y="${PLOT.top + PLOT.height + 14}" text-anchor="middle" fill="#555" font-size="10">${shown(share * mostX)}</text>`,
  ]);
  let colours = 0;
  const lines = curves.map((curve, index) => {
    const colour = curve.bound === true ? '#999' : (COLOURS[colours++ % COLOURS.length] ?? '#000');
    const path = curve.points.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`).join(' ');
    const dots = curve.points.map(
      ([x, y]) => `<circle cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="2.5" fill="${colour}"/>`,
    );
    const legendY = PLOT.top + PLOT.height + 44 + 14 * Math.floor(index / 2);
    const legendX = PLOT.left + (index % 2) * 155;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.8"${curve.bound === true ? ' stroke-dasharray="4 3"' : ''}/>`,
      ...(curve.bound === true ? [] : dots),
      `<rect x="${legendX}" y="${legendY - 7}" width="10" height="4" fill="${colour}"/>`,
      `<text x="${legendX + 14}" y="${legendY}" font-size="11">${xmlText(curve.name)}</text>`,
    ].join('');
  });
  return [
    `<g transform="translate(${left},${top})">`,
    `<text x="${PLOT.left}" y="14" font-weight="600">${xmlText(title)}</text>`,
    `<text x="${PLOT.left}" y="28" fill="#555" font-size="10">${xmlText(yLabel)}</text>`,
    ...ticks,
    ...lines,
    `<text x="${PLOT.left + PLOT.width / 2}" y="${PLOT.top + PLOT.height + 27}" text-anchor="middle" fill="#555" font-size="11">${xmlText(xLabel)}</text>`,
    '</g>',
  ].join('');
}
