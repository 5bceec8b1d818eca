import {
  firstTokensMs,
  gapsMs,
  goodPerS,
  type LoadPoint,
  type Objective,
  refusedPerS,
  wholePerS,
} from '../clients/served-request.ts';
import type { Curve, Panel } from './line-plot.ts';
import { median, quantile } from './statistics.ts';

/** First tokens, tokens and what is served, over the offered load. @param peakPerS requests a second of the closed loop */
export function loadPanels(
  model: string,
  points: readonly LoadPoint[],
  objective: Objective,
  peakPerS: number,
): Panel[] {
  const rates = points.map(({ requests, seconds }) => requests.length / seconds);
  const curve = (name: string, of: (point: LoadPoint) => number): Curve => ({
    name,
    points: points.map((point, index) => [rates[index] ?? 0, of(point)] as const),
  });
  const level = (name: string, value: number): Curve => ({
    name,
    bound: true,
    points: [
      [0, value],
      [rates.at(-1) ?? 0, value],
    ],
  });
  const xLabel = 'offered requests/s';
  return [
    {
      title: `${model}: time to first token`,
      xLabel,
      yLabel: 'ms',
      yMost: 2.5 * objective.firstTokenMs,
      curves: [
        curve('p50', (point) => median(firstTokensMs(point))),
        curve('p95', (point) => quantile(firstTokensMs(point), 0.95)),
        level(`objective, ${objective.firstTokenMs} ms`, objective.firstTokenMs),
      ],
    },
    {
      title: `${model}: between tokens`,
      xLabel,
      yLabel: 'ms',
      curves: [
        curve('p50', (point) => median(gapsMs(point))),
        curve('p99', (point) => quantile(gapsMs(point), 0.99)),
        level(`objective (mean), ${objective.tokenMs} ms`, objective.tokenMs),
      ],
    },
    {
      title: `${model}: served`,
      xLabel,
      yLabel: 'requests/s',
      curves: [
        curve('within the objective', (point) => goodPerS(point, objective)),
        curve('whole', wholePerS),
        curve('refused', refusedPerS),
        level(`closed loop, ${peakPerS.toFixed(1)}`, peakPerS),
      ],
    },
  ];
}
