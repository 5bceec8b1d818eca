import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { showsKey } from './board-key.ts';
import type { BoardQueues } from './board-queues.ts';
import { shownJob } from './shown-job.ts';

const PATH = '/queues';
const READING = ['GET', 'HEAD'];

/**
 * Bull Board under `/queues`, for whoever shows the key. It only shows: a job that somebody removes or runs again behind a
 * request's back helps nobody, so everything that would change a queue is refused, and the page has no buttons for it.
 */
export function addBoard(server: FastifyInstance, key: string, queues: BoardQueues): void {
  const serverAdapter = new FastifyAdapter().setBasePath(PATH);
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Millrace', hideRedisDetails: false } },
  });
  server.register(
    async (scope) => {
      scope.addHook('onRequest', async (request, reply) => {
        if (!showsKey(request.headers.authorization, key)) {
          return reply
            .status(401)
            .header('www-authenticate', 'Basic realm="Millrace queues"')
            .send({ error: 'Send MILLRACE_BOARD_KEY as the password of any user, or as a bearer.' });
        }
        if (!READING.includes(request.method)) {
          return reply.status(405).header('allow', READING.join(', ')).send({ error: 'The board only shows queues.' });
        }
        board.replaceQueues(queues.now().map((queue) => adapterOf(queue)));
      });
      scope.addHook('onSend', async (_, reply) => {
        reply.header('cache-control', 'no-store');
      });
      await scope.register(serverAdapter.registerPlugin());
    },
    { prefix: PATH },
  );
}

function adapterOf(queue: ReturnType<BoardQueues['now']>[number]): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { readOnlyMode: true });
  adapter.setFormatter('data', shownJob);
  return adapter;
}
