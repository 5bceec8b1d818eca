/** Entry of the engine's thread: loads the model, then serves until its owner closes it. */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Engine, LikelyTokens, serveEngine, warmUpEngine } from '#engine';
import { openModelRunner } from '#model-runner';
import { returnFilePages, returnFreeMemory, runOnProcessors } from '#model-runner/process';
import { GrammarConstraints } from '#models/grammar';
import { collectGarbage } from './model/collect-garbage.ts';
import type { EngineThreadData } from './model/engine-thread-data.ts';

const {
  modelFile,
  embeddingFile,
  slots,
  parkingSlots,
  slotTokens,
  kvBytes,
  prefixCacheBytes,
  threads,
  cpus,
  spinUs,
  providers,
  capturedRows,
  products,
  kvType,
  binding,
  prefillChunkTokens,
  decodeStretch,
  prefillParts,
  speculationTokens,
  replayLimitTokens,
  tokenTable,
} = workerData as EngineThreadData;
/** What prompts and answers read in weights' files, tables of embeddings above all, is mostly read once. */
const FILE_PAGES_MS = 10_000;
/** 6 to 16 were worth about the same (decision 0040). */
const AUTO_SPECULATION_TOKENS = 10;
if (parentPort === null) throw new Error('engine-thread is the entry of a worker_thread; run main instead');

// Before the session's threads are made, which inherit it.
if (cpus !== null) runOnProcessors(cpus);
const maxChunkTokens = prefillChunkTokens;
const mostProposals = speculationTokens === 'auto' ? AUTO_SPECULATION_TOKENS : speculationTokens;
const runner = await openModelRunner({
  modelFile,
  embeddingFile,
  slots,
  parkingSlots,
  slotTokens,
  prefixCacheBytes,
  threads,
  spinUs,
  providers,
  capturedRows,
  products,
  kvType,
  binding,
  maxChunkTokens,
  prefillParts,
  // The last token and what is proposed behind it.
  verifyTokens: mostProposals === 0 ? 0 : 1 + mostProposals,
  verifyInvariantly: speculationTokens === 'auto',
});
// A thread that crashes leaves its session behind, weights and all, unless it is freed here.
process.on('exit', (code) => {
  // The run that the close interrupts must not be told as the reason.
  if (code !== 0) parentPort?.close();
  void runner.close();
});
const constraints = new GrammarConstraints(tokenTable, runner.shape.vocabularySize);
/** Of one token in all layers. */
const tokenBytes = runner.description.kvBytes / ((slots + parkingSlots) * slotTokens);
const kvTokens = kvBytes === 0 ? undefined : Math.floor(kvBytes / tokenBytes);
const proposer = runner.verification == null ? undefined : new LikelyTokens(mostProposals);
/** Tokens of small models come by tens in a millisecond, and each message wakes this process, an API replica and a client. */
const publishIntervalMs = 1;
const sizes = { kvTokens, decodeStretch, prefillChunkTokens, replayLimitTokens, publishIntervalMs };
await warmUpEngine({ runner, tokenTable, ...sizes });
// What loading has left behind, before requests come.
collectGarbage();
returnFreeMemory();
const filePages = returnFilePages(dirname(realpathSync(modelFile)));
setInterval(() => filePages.again(), FILE_PAGES_MS).unref();
serveEngine(parentPort, new Engine({ runner, tokenTable, ...sizes, constraints, proposer }));
