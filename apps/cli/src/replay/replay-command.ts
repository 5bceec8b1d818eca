import { setInterval } from 'node:timers';
import { CliSettings, readSettings } from '#config';
import { apiAccess } from '../client/api-access.ts';
import { type FittedRequest, fitRequest } from './fit-request.ts';
import { LoadClient } from './load-client.ts';
import { openLoop } from './open-loop.ts';
import { PromptWriter, promptRate } from './prompt-writer.ts';
import { type ReplayReport, replayReport } from './replay-report.ts';
import { replayText } from './replay-text.ts';
import { ServedModel } from './served-model.ts';
import type { ServedRequest } from './served-request.ts';
import { readTrace } from './trace/read-trace.ts';

export interface ReplayFlags {
  readonly url?: string;
  readonly key?: string;
  readonly model?: string;
  readonly speed: number;
  readonly from: number;
  readonly for?: number;
  readonly requests?: number;
  readonly scale: number;
  readonly maxPromptTokens?: number;
  readonly maxAnswerTokens?: number;
  readonly seed: number;
  readonly ttft: number;
  readonly tpot: number;
  readonly patience: number;
  readonly json?: boolean;
}

const PROGRESS_MS = 5_000;

/** `millrace bench replay`: sends a trace's requests to a running cluster as they came, and tells what became of them. */
export async function replayCommand(file: string, flags: ReplayFlags): Promise<number> {
  const access = apiAccess(
    readSettings(CliSettings, {
      ...process.env,
      ...(flags.url !== undefined && { MILLRACE_URL: flags.url }),
      ...(flags.key !== undefined && { MILLRACE_API_KEY: flags.key }),
    }),
  );
  const trace = await readTrace(file, {
    fromMs: flags.from * 1_000,
    forMs: (flags.for ?? Number.POSITIVE_INFINITY) * 1_000,
    mostRequests: flags.requests ?? Number.POSITIVE_INFINITY,
  });
  const model = await ServedModel.find(access, flags.model ?? null);
  const rate = await promptRate((content) => model.promptTokensOf(content));
  const requests = trace.requests.map((request) =>
    fitRequest(request, {
      scale: flags.scale,
      fewestPromptTokens: Math.ceil(rate.templateTokens + rate.tokensPerWord),
      mostPromptTokens: flags.maxPromptTokens ?? Number.POSITIVE_INFINITY,
      mostAnswerTokens: flags.maxAnswerTokens ?? Number.POSITIVE_INFINITY,
      contextLength: model.contextLength,
    }),
  );
  const cut = {
    prompts: requests.filter(({ promptCut }) => promptCut).length,
    answers: requests.filter(({ answerCut }) => answerCut).length,
  };
  const lastMs = requests.at(-1)?.atMs ?? 0;
  say(
    `${trace.format} trace, ${requests.length} requests in ${seconds(lastMs / flags.speed)} to "${model.name}" at ${access.url}`,
  );
  const context = `the context of ${model.contextLength} tokens`;
  if (trace.empty > 0) say(`Left out, for they have no prompt or no answer in the trace: ${trace.empty}`);
  if (cut.prompts > 0) say(`Prompts that were cut (${context}, --max-prompt-tokens): ${cut.prompts}`);
  if (cut.answers > 0) say(`Answers that were cut (${context}, --max-answer-tokens): ${cut.answers}`);
  const writer = new PromptWriter({ rate, seed: flags.seed, scale: flags.scale });
  const client = new LoadClient({ ...access, model: model.name });
  const report = await replay({ model, requests, writer, client }, flags);
  client.close();
  const { format, empty } = trace;
  // A report may be shown to anybody.
  const { key: _, json: __, ...settings } = { ...flags, model: model.name, url: access.url };
  console.log(
    flags.json === true
      ? JSON.stringify({ trace: { file, format, requests: requests.length, empty, cut }, settings, ...report }, null, 2)
      : replayText(report),
  );
  return 0;
}

interface Replay {
  readonly model: ServedModel;
  readonly requests: readonly FittedRequest[];
  readonly writer: PromptWriter;
  readonly client: LoadClient;
}

/** Ctrl-C ends it early; what came until then is told. */
async function replay({ model, requests, writer, client }: Replay, flags: ReplayFlags): Promise<ReplayReport> {
  const over = new AbortController();
  const stop = () => over.abort();
  process.once('SIGINT', stop);
  /** By request. */
  const served: (ServedRequest | undefined)[] = [];
  let [sent, ended] = [0, 0];
  const beganMs = performance.now();
  const progress = setInterval(
    () => say(`${seconds(performance.now() - beganMs)}: ${sent} sent, ${sent - ended} open`),
    PROGRESS_MS,
  );
  let patience: NodeJS.Timeout | undefined;
  const lateMs = await openLoop(
    requests.map(({ atMs }) => atMs / flags.speed),
    async (index) => {
      const request = requests[index];
      if (request === undefined) return;
      sent += 1;
      if (sent === requests.length) patience = setTimeout(stop, flags.patience * 1_000);
      served[index] = await client.ask(writer.write(request, index), request.answerTokens, over.signal);
      ended += 1;
    },
    over.signal,
  );
  clearTimeout(patience);
  clearInterval(progress);
  process.off('SIGINT', stop);
  const asked = requests.slice(0, lateMs.length).map(({ promptTokens }) => promptTokens);
  const answers = served.filter((request) => request !== undefined);
  const ids = answers.flatMap(({ requestId, status }) => (status === 200 && requestId !== null ? [requestId] : []));
  const queuedMs = await model.queuedMs(ids);
  return replayReport(
    { beganMs, served: answers, promptTokens: asked, lateMs, queuedMs },
    { firstTokenMs: flags.ttft, tokenMs: flags.tpot },
  );
}

const say = (line: string): void => console.error(line);

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
