// node --conditions=millrace-source tools/autoscaling/page/write-page.ts: plays the recorded traffic to the settings of k8s/ and to
// others, and writes tables and picture into docs/operations/autoscaling.{md,svg}. A minute and a half.
import { readFileSync, writeFileSync } from 'node:fs';
import { scalerSettings } from '../scaler/scaler-settings.ts';
import { FLEETS, play } from '../scenarios.ts';
import { plot } from './plot.ts';
import { alternativesTable, chosenTable } from './tables.ts';

const HOUR_MS = 3_600_000;
const docs = new URL('../../../docs/operations/', import.meta.url);
const scaler = scalerSettings();
const tables = { chosen: chosenTable(scaler), alternatives: alternativesTable(scaler) };

let page = readFileSync(new URL('autoscaling.md', docs), 'utf8');
for (const [name, table] of Object.entries(tables)) {
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  if (!page.includes(start) || !page.includes(end)) throw new Error(`autoscaling.md has no place for ${name}.`);
  page = `${page.split(start)[0]}${start}\n${table}\n${end}${page.split(end)[1]}`;
}
writeFileSync(new URL('autoscaling.md', docs), page);

const fleet = FLEETS.slow;
const [day, code] = (['day', 'code'] as const).map(
  (traffic) => play({ traffic, fleet, scaler, startDelayMs: 60_000 }).samples,
);
writeFileSync(
  new URL('autoscaling.svg', docs),
  plot([
    { title: 'A day of conversations, slow fleet', samples: day ?? [], fromMs: 0, untilMs: 23.5 * HOUR_MS },
    { title: 'Bursts (code), slow fleet', samples: code ?? [], fromMs: 0, untilMs: 2.5 * HOUR_MS },
  ]),
);
