import type { Row, SuiteReport } from './suite-report.ts';
import { xmlText } from './xml-text.ts';

const LEFT = 12;
const BAR = 330;
const RATIO = 100;
/** Of a character in the font's size, on the average and then some. */
const CHARACTER = 6.4;
const LINE = 16;
const GROUP = 2 * LINE + 12;
const TOP = 46;

const shown = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

/** Bars of every row that has a peer, ours above its peer's, each pair to its own scale. */
export function plotOf(report: SuiteReport): string {
  const rows = report.rows.filter((row) => row.peerValue !== null && Number.isFinite(row.value));
  const height = TOP + rows.length * GROUP;
  // Labels are as wide as the widest: whoever draws it may have another font.
  const longest = Math.max(0, ...rows.flatMap((row) => [row.name.length, against(row).length]));
  const barsAt = Math.round(LEFT + longest * CHARACTER + LEFT);
  const width = barsAt + BAR + RATIO;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="20" font-size="15" font-weight="600">${xmlText(report.suite)}</text>`,
    `<text x="12" y="37" fill="#555">${xmlText(`${report.machine.cpu}, ${report.machine.cores} cores; ${report.date.slice(0, 10)}, commit ${report.commit}`)}</text>`,
    ...rows.map((row, index) => pair(row, barsAt, TOP + index * GROUP)),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

function against(row: Row): string {
  return `against ${row.peer ?? ''}${row.target === null ? '' : `; target ${row.target}`}`;
}

function pair(row: Row, barsAt: number, y: number): string {
  const peerValue = row.peerValue ?? 0;
  const longest = Math.max(row.value, peerValue, Number.MIN_VALUE);
  const held = row.holds === null ? '#3b6fb6' : row.holds ? '#2e8b57' : '#c0392b';
  const bar = (value: number, top: number, colour: string, text: string) =>
    `<rect x="${barsAt}" y="${top}" width="${Math.max(1, (value / longest) * BAR).toFixed(1)}" height="${LINE - 3}" fill="${colour}"/>` +
    `<text x="${barsAt + 5}" y="${top + LINE - 6}" fill="#fff" font-size="11" stroke="#000" stroke-width="2" paint-order="stroke">${xmlText(text)}</text>`;
  const ratio = row.ratio === null ? '' : `${row.ratio.toFixed(2)}×`;
  return [
    `<text x="${LEFT}" y="${y + 12}">${xmlText(row.name)}</text>`,
    `<text x="${LEFT}" y="${y + 27}" fill="#555">${xmlText(against(row))}</text>`,
    bar(row.value, y, held, `${shown(row.value)} ${row.unit}`),
    bar(peerValue, y + LINE - 1, '#9a9a9a', `${shown(peerValue)} ${row.unit}`),
    `<text x="${barsAt + BAR + RATIO - LEFT}" y="${y + 19}" text-anchor="end" font-weight="600">${ratio}</text>`,
  ].join('');
}
