import type { Dashboard } from './dashboards.ts';
import type { Panel } from './panels.ts';

const COLUMNS = 3;
const WIDTH = 8;
const HEIGHT = 8;
const DATASOURCE = { type: 'prometheus', uid: 'prometheus' };

/** What Grafana loads. */
export function grafanaJson({ id, title, description, panels }: Dashboard): string {
  const dashboard = {
    uid: `millrace-${id}`,
    title,
    description,
    tags: ['millrace'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    time: { from: 'now-1h', to: 'now' },
    refresh: '10s',
    templating: {
      list: [
        {
          name: 'model',
          type: 'query',
          label: 'model',
          datasource: DATASOURCE,
          query: { query: 'label_values(millrace:workers_ready, model_name)', refId: 'model' },
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels: panels.map((panel, index) => panelJson(panel, index)),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelJson({ title, unit, targets, stat: isStat, stacked }: Panel, index: number) {
  return {
    id: index + 1,
    title,
    type: isStat ? 'stat' : 'timeseries',
    datasource: DATASOURCE,
    gridPos: { x: (index % COLUMNS) * WIDTH, y: Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: {
      defaults: { unit, min: 0, custom: isStat ? {} : { stacking: { mode: stacked ? 'normal' : 'none' } } },
      overrides: [],
    },
    options: isStat
      ? { reduceOptions: { calcs: ['lastNotNull'] } }
      : { legend: { displayMode: 'list', placement: 'bottom' } },
    targets: targets.map(({ query, legend }, target) => ({
      refId: String.fromCharCode(65 + target),
      datasource: DATASOURCE,
      expr: query,
      legendFormat: legend,
      range: !isStat,
      instant: isStat === true,
    })),
  };
}
