import { textTable } from '../text-table.ts';
import type { ReplayReport, Spread } from './replay-report.ts';

/** A report for people. */
export function replayText(report: ReplayReport): string {
  const { seconds, sent, requestsPerSecond, answered, refused, broken, goodput, tokens, sentLate } = report;
  const { firstTokenMs, tokenMs } = goodput.objective;
  const cached = tokens.prompt === 0 ? 0 : (100 * tokens.cached) / tokens.prompt;
  const facts = [
    ['requests', `${sent} in ${seconds.toFixed(1)} s, ${figure(requestsPerSecond)}/s; ${answered} answered whole`],
    ['refused', countsText(refused)],
    ['broken off', countsText(broken)],
    [
      'goodput',
      `${figure(goodput.requestsPerSecond)} requests/s, ${(100 * goodput.share).toFixed(1)} % of all, with a first token within ${firstTokenMs} ms and ${tokenMs} ms a token`,
    ],
    [
      'prompt tokens',
      `${tokens.prompt} (${tokens.promptAsked} asked for), ${figure(tokens.promptPerSecond)}/s; ${cached.toFixed(1)} % from the prefix cache`,
    ],
    ['answer tokens', `${tokens.answer}, ${figure(tokens.answerPerSecond)}/s`],
    ['sent late', sentLate === null ? '' : `p99 ${figure(sentLate.p99)} ms, at most ${figure(sentLate.most)} ms`],
  ].filter(([, told]) => told !== '');
  const times = [
    ['ms', 'mean', 'p50', 'p90', 'p95', 'p99', 'most'],
    ...spreadRow('first token', report.firstToken),
    ...spreadRow('between tokens', report.betweenTokens),
    ...spreadRow('end to end', report.endToEnd),
    ...spreadRow('queued', report.queued),
  ];
  return `${textTable(facts)}\n\n${textTable(times)}`;
}

function spreadRow(name: string, spread: Spread | null): string[][] {
  if (spread === null) return [];
  const { mean, p50, p90, p95, p99, most } = spread;
  return [[name, ...[mean, p50, p90, p95, p99, most].map(figure)]];
}

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ');

const figure = (value: number): string =>
  value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
