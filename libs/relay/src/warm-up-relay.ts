import { randomUUID } from 'node:crypto';
import { relay } from '#contracts';
import { RelayDialer } from './dialer/relay-dialer.ts';
import type { ClaimOutcome, OfferTaker } from './relay-ports.ts';
import { RelayServer } from './server/relay-server.ts';

const LOOPBACK = '127.0.0.1';
const ANSWER_TOKENS = 8;
const MODEL = 'none';
const REQUEST = { requestId: 'warm-up', epoch: 1, choices: 1 };

/**
 * Sends answers over a relay of its own on loopback, both ends of it in this process: the first stream of a process takes tens of
 * milliseconds of code that was never run, and whoever did this before does not have a client wait for it. Server, dialer and what they
 * counted are gone when it settles.
 * @param rounds connections, each with the answers of a job that is claimed and of one that is offered
 * @throws RelayListenError, MillraceError
 */
export async function warmUpRelay(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) await answerTwice();
}

async function answerTwice(): Promise<void> {
  const token = randomUUID();
  await using server = await RelayServer.listen({
    ...{ host: LOOPBACK, port: 0, replicaId: 'warm-up', token },
    makesOffers: true,
  });
  const claimed = Promise.withResolvers<ClaimOutcome>();
  await using dialer = new RelayDialer({
    ...{ workerId: 'warm-up', models: [], slots: 1, token },
    takesOffersOf: [MODEL],
    takeOffer: () => {
      dialer.claim({ ...REQUEST, relayAddress: server.address, offered: true }).then(claimed.resolve, claimed.reject);
      return true;
    },
  });
  await answer(server, dialer, () => dialer.claim({ ...REQUEST, relayAddress: server.address }));
  const { requestId, epoch } = REQUEST;
  await answer(server, dialer, async () => {
    const offer = { requestId, epoch, model: MODEL, job: '{}', dueTenant: null };
    const taker = server.offer(
      offer,
      ([first]) => first as OfferTaker,
      () => claimed.resolve('denied'),
    );
    return taker === null ? 'denied' : claimed.promise;
  });
}

/** @param claim by which the dialer comes to the request */
async function answer(server: RelayServer, dialer: RelayDialer, claim: () => Promise<ClaimOutcome>): Promise<void> {
  const { requestId, epoch, choices } = REQUEST;
  const { promise: delivered, resolve, reject } = Promise.withResolvers<void>();
  using _ = server.open(requestId, epoch, choices, {
    granted: () => {},
    delta: () => {},
    finished: () => resolve(),
    failed: reject,
  });
  if ((await claim()) === 'denied') return;
  for (let token = 0; token < ANSWER_TOKENS; token++) {
    const delta = { requestId, epoch, choice: 0, firstIndex: token, tokenIds: [token], text: ' one', logprobs: [] };
    dialer.publish({ step: token, deltas: [delta], finished: [], failed: [] });
  }
  dialer.publish({ step: ANSWER_TOKENS, deltas: [], finished: [FINISHED], failed: [] });
  await delivered;
}

const FINISHED: relay.Finished = {
  ...{ requestId: REQUEST.requestId, epoch: REQUEST.epoch, choice: 0 },
  ...{ reason: relay.FinishReason.FINISH_REASON_LENGTH, stopString: '' },
  ...{ completionTokens: ANSWER_TOKENS, cachedPromptTokens: 0 },
};
