/** One line or area of a panel. */
interface Target {
  readonly query: string;
  /** As Grafana writes it: `{{model_name}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly targets: readonly Target[];
  /** A single number instead of a graph. */
  readonly stat?: boolean;
  /** Lines stand on each other. */
  readonly stacked?: boolean;
}

/** Of the models that are chosen above the dashboard. */
export const MODEL = 'model_name=~"$model"';
/** A graph of one query. */
export const one = (title: string, unit: string, query: string, legend = ''): Panel => ({
  title,
  unit,
  targets: [{ query, legend }],
});
/** A single number. */
export const stat = (title: string, unit: string, query: string): Panel => ({ ...one(title, unit, query), stat: true });

/** p50, p95 and p99 of a histogram, by model. */
export function quantiles(title: string, metric: string): Panel {
  return {
    title,
    unit: 's',
    targets: [0.5, 0.95, 0.99].map((quantile) => ({
      query: `histogram_quantile(${quantile}, sum by (model_name, le) (rate(${metric}_bucket{${MODEL}}[$__rate_interval])))`,
      legend: `{{model_name}} p${quantile * 100}`,
    })),
  };
}

/** Of a counter, by one of its labels. */
export const rate = (metric: string, by: string, selector = MODEL) =>
  `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
