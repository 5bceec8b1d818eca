import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { relay } from '#contracts';
import { RelayDialer } from '#relay';
import { attachMethod, encodeWorkerMessage } from '../../libs/relay/src/wire/attach-method.ts';
import { relayRequestId } from '../relay-request-id.ts';
import { serveSide } from '../side.ts';

/** A worker that has nothing to do but to send: so many tokens in a message, as fast as the other end reads. */
interface Settings {
  bare: boolean;
}
interface Task {
  address: string;
  run: number;
  requests: number;
  deltasPerStep: number;
  seconds: number;
}
interface Sender {
  send(batch: relay.StepBatch): void;
  readonly pendingBytes: number;
  close(): Promise<void>;
}

/** Bytes that may wait before the connection is let catch up; an engine is paced by its steps instead. */
const PACE_BYTES = 256 * 1024;
const TOKEN_ID = 40_000;

serveSide<Settings, Task, number>(async ({ bare }) => async ({ address, run, requests, deltasPerStep, seconds }) => {
  const ids = Array.from({ length: requests }, (_, index) => relayRequestId(run, index));
  const sender = bare ? bareSender(address) : await relaySender(address, ids);
  const nextIndex = new Uint32Array(requests);
  const until = performance.now() + seconds * 1_000;
  for (let step = 0, row = 0; performance.now() < until; step++) {
    const deltas: relay.Delta[] = [];
    for (let count = 0; count < deltasPerStep; count++, row = (row + 1) % requests) {
      const firstIndex = nextIndex[row] ?? 0;
      nextIndex[row] = firstIndex + 1;
      const requestId = ids[row] ?? '';
      deltas.push({ requestId, epoch: 1, choice: 0, firstIndex, tokenIds: [TOKEN_ID], text: ' token', logprobs: [] });
    }
    sender.send({ step, deltas, finished: [], failed: [] });
    if (step % 8 === 0) await pace(sender);
  }
  const end = { epoch: 1, choice: 0, reason: relay.FinishReason.FINISH_REASON_STOP, stopString: '' };
  for (const [row, requestId] of ids.entries()) {
    const finished = { ...end, requestId, cachedPromptTokens: 0, completionTokens: nextIndex[row] ?? 0 };
    sender.send({ step: 0, deltas: [], finished: [finished], failed: [] });
    if (row % 8 === 0) await pace(sender);
  }
  await sender.close();
  return nextIndex.reduce((sum, tokens) => sum + tokens, 0);
});

async function relaySender(address: string, ids: readonly string[]): Promise<Sender> {
  const dialer = new RelayDialer({ workerId: 'bench', models: ['bench'], slots: ids.length });
  const claims = ids.map((requestId) => dialer.claim({ requestId, epoch: 1, choices: 1, relayAddress: address }));
  const granted = (await Promise.all(claims)).filter((outcome) => outcome === 'granted').length;
  if (granted !== ids.length) throw new Error(`${granted} of ${ids.length} claims were granted`);
  return {
    send: (batch) => dialer.publish(batch),
    get pendingBytes() {
      return dialer.stats().pendingBytes;
    },
    close: () => dialer.close(),
  };
}

function bareSender(address: string): Sender {
  const client = new Client(address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = attachMethod;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
  let pendingBytes = 0;
  return {
    send: (batch) => {
      const bytes = encodeWorkerMessage({ message: { $case: 'step', value: batch } });
      pendingBytes += bytes.length;
      call.write(bytes, () => {
        pendingBytes -= bytes.length;
      });
    },
    get pendingBytes() {
      return pendingBytes;
    },
    close: async () => {
      const over = new Promise((resolve) => call.on('end', resolve).resume());
      call.end();
      await over;
      client.close();
    },
  };
}

async function pace(sender: Sender): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (sender.pendingBytes > PACE_BYTES);
}
