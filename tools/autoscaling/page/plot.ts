import type { Sample } from '../simulation.ts';

const WIDTH = 860;
const HEIGHT = 220;
const LEFT = 60;
const RIGHT = 50;
const TOP = 36;
const BOTTOM = 30;
const POINTS = 600;

export interface Panel {
  readonly title: string;
  readonly samples: readonly Sample[];
  readonly fromMs: number;
  readonly untilMs: number;
}

/** One picture with a panel for each run: requests that wait or run as an area, workers wanted and ready as steps. */
export function plot(panels: readonly Panel[]): string {
  const height = HEIGHT * panels.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>Requests that wait or run, and workers, over time</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...panels.map((panel, index) => `<g transform="translate(0 ${index * HEIGHT})">${panelOf(panel)}</g>`),
    '</svg>\n',
  ].join('\n');
}

function panelOf({ title, samples, fromMs, untilMs }: Panel): string {
  const shown = thinned(samples.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs));
  const outstanding = (sample: Sample): number => sample.waiting + sample.running;
  const mostRequests = roundUp(Math.max(...shown.map(outstanding)));
  const mostWorkers = 16;
  const x = (atMs: number) => LEFT + ((atMs - fromMs) / (untilMs - fromMs)) * (WIDTH - LEFT - RIGHT);
  const y = (share: number) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const point = (atMs: number, share: number) => `${x(atMs).toFixed(1)},${y(share).toFixed(1)}`;
  const area = shown.map((each) => point(each.atMs, outstanding(each) / mostRequests)).join(' ');
  const steps = (value: (sample: Sample) => number) =>
    shown
      .flatMap((each, index) => {
        const before = shown[index - 1] ?? each;
        return [point(each.atMs, value(before) / mostWorkers), point(each.atMs, value(each) / mostWorkers)];
      })
      .join(' ');
  const hours = (untilMs - fromMs) / 3_600_000;
  const tickH = hours > 6 ? 3 : 0.5;
  const ticks = Array.from({ length: Math.floor(hours / tickH) + 1 }, (_, index) => index * tickH);
  return [
    `<text x="${LEFT}" y="16" font-weight="bold">${title}</text>`,
    `<text x="${LEFT}" y="30" fill="#7a8aa0">■ requests that wait or run (left)</text>`,
    `<text x="${LEFT + 230}" y="30" fill="#c2410c">— workers wanted (right)</text>`,
    `<text x="${LEFT + 410}" y="30" fill="#15803d">— workers ready (right)</text>`,
    `<polygon points="${point(fromMs, 0)} ${area} ${point(shown.at(-1)?.atMs ?? untilMs, 0)}" fill="#cbd5e1"/>`,
    `<polyline points="${steps(({ replicas }) => replicas)}" fill="none" stroke="#c2410c" stroke-width="1.6"/>`,
    `<polyline points="${steps(({ ready }) => ready)}" fill="none" stroke="#15803d" stroke-width="1.2"/>`,
    `<path d="M${LEFT} ${y(1)}V${y(0)}H${WIDTH - RIGHT}V${y(1)}" fill="none" stroke="#334155"/>`,
    ...[0, 0.5, 1].map(
      (share) =>
        `<text x="${LEFT - 6}" y="${y(share) + 4}" text-anchor="end">${Math.round(share * mostRequests)}</text>` +
        `<text x="${WIDTH - RIGHT + 6}" y="${y(share) + 4}">${share * mostWorkers}</text>`,
    ),
    ...ticks.map(
      (tick) =>
        `<text x="${x(fromMs + tick * 3_600_000).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${tick} h</text>`,
    ),
  ].join('\n');
}

/** At most `POINTS` samples; of those that fall together the one with the most requests. */
function thinned(samples: readonly Sample[]): Sample[] {
  const group = Math.ceil(samples.length / POINTS);
  const kept: Sample[] = [];
  for (let start = 0; start < samples.length; start += group) {
    kept.push(
      samples.slice(start, start + group).reduce((a, b) => (b.waiting + b.running > a.waiting + a.running ? b : a)),
    );
  }
  return kept;
}

function roundUp(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / step) * step;
}
