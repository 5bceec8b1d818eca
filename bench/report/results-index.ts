import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type SuiteReport, shownValue } from './suite-report.ts';

/** Writes `README.md` of a folder of results: every figure with a target, of the newest run of each suite. */
export function writeIndex(folder: URL): void {
  const results = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({
      // A suite that ran on several devices has a file for each.
      name: name.slice(0, -'.json'.length),
      report: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as SuiteReport,
    }));
  writeFileSync(new URL('README.md', folder), indexOf(results));
}

interface Result {
  readonly name: string;
  readonly report: SuiteReport;
}

function indexOf(results: readonly Result[]): string {
  const lines = [
    '# Results',
    '',
    'Made from the JSON files here by `npm run bench -- <suite> --write`: the newest run of each suite, and its figures that have a target.',
    'What each suite measures, and against what: [bench](../README.md).',
    '',
    '| suite | date | commit | targets held |',
    '|---|---|---|---|',
    ...results.map(({ name, report }) => {
      const aimed = aimedRows(report);
      const held = aimed.filter(({ holds }) => holds).length;
      return `| [${name}](${name}.md) | ${report.date.slice(0, 10)} | ${report.commit} | ${aimed.length === 0 ? 'has none' : `${held} of ${aimed.length}`} |`;
    }),
    '',
    '| suite | figure | value | against | target | holds |',
    '|---|---|---:|---|---|---|',
    ...results.flatMap(({ name: suite, report }) =>
      aimedRows(report).map(({ name, value, unit, peer, peerValue, ratio, target, holds }) => {
        const against = peer === null ? '' : `${peer}: ${shownValue(peerValue)} ${unit} (${(ratio ?? 0).toFixed(2)}x)`;
        return `| ${suite} | ${name} | ${shownValue(value)} ${unit} | ${against} | ${target ?? ''} | ${holds ? 'yes' : '**no**'} |`;
      }),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

const aimedRows = (report: SuiteReport) => report.rows.filter(({ holds }) => holds !== null);
