import { describe, expect, it } from 'vitest';
import type { AdmissionTerms } from '#admission';
import { createLogger } from '#observability';
import type { KeptAnswer, KeptEnding, RefusedRequest } from '#requests';
import { generateJob } from '../../../../../test/support/generate-job.ts';
import { packKeptRequest } from './kept-request.ts';
import { Takeover } from './takeover.ts';

const id = { tenantId: 'team', requestId: 'request-1' };
const terms = {} as AdmissionTerms;

/** What becomes of a kept request whose replicas died so often; nothing else of it is reached. */
async function refusedAfter(losses: number, request?: Buffer) {
  const endings: (KeptEnding | null)[] = [];
  const refused: RefusedRequest[] = [];
  const adopted: string[] = [];
  const packed = await packKeptRequest({
    path: '/',
    body: {},
    job: generateJob(),
    terms,
    reasoning: 'none' as never,
    begun: '',
  });
  const found: KeptAnswer = { state: 'open', owner: 'api-dead', epoch: 1, request: request ?? packed, error: null };
  const takeover = new Takeover({
    kept: {
      adopt: async (_id, from) => {
        adopted.push(from);
        return { epoch: 4, losses };
      },
      append: async (_id, _owner, _epoch, _payload, ending) => {
        endings.push(ending);
        return 'kept';
      },
      frames: async () => {
        throw new Error('it was read');
      },
    },
    admission: { adopt: async () => Promise.reject(new Error('it was admitted')) },
    courses: {} as never,
    relay: { address: '127.0.0.1:1' },
    queues: {} as never,
    refused: { add: async (request) => void refused.push(request) },
    replicaId: 'api-1',
    mostLosses: 3,
    logger: createLogger('test', 'silent'),
  });
  expect(await takeover.take(id, found)).toBeNull();
  return { endings, refused, adopted };
}

describe('Takeover', () => {
  it('refuses a request that may be what ends API replicas, and keeps its id for the operator', async () => {
    const { endings, refused } = await refusedAfter(3);
    expect(endings).toMatchObject([{ state: 'failed', error: { code: 'attempts_exhausted' } }]);
    expect(refused).toMatchObject([
      { requestId: 'request-1', tenantId: 'team', lost: 'replica', lostAttempts: 3, lostIds: ['api-dead'] },
    ]);
  });

  it('tries again before that', async () => {
    const { endings, refused } = await refusedAfter(2);
    expect(refused).toEqual([]);
    expect(endings).toMatchObject([{ state: 'failed', error: { code: 'internal_error' } }]);
  });

  it('leaves alone what it can not read, for a replica that can', async () => {
    const { adopted, endings } = await refusedAfter(0, Buffer.from('of another release'));
    expect([adopted, endings]).toEqual([[], []]);
  });
});
