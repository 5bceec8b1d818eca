import fastify, { type FastifyInstance } from 'fastify';
import type { Metrics } from '#observability';
import type { Readiness } from './readiness.ts';

/**
 * The health routes and `/metrics` on a port of their own, which stays inside the cluster.
 * @param addBoard adds the queues' pages
 */
export function createManagementServer(
  readiness: Readiness,
  metrics: Metrics,
  addBoard: (server: FastifyInstance) => void = () => {},
): FastifyInstance {
  const server = fastify({ forceCloseConnections: true });
  server.get('/healthz', () => ({ status: 'ok' }));
  server.get('/readyz', async (_, reply) => {
    const report = await readiness.report();
    return reply.status(report.status === 'ready' ? 200 : 503).send(report);
  });
  server.get('/metrics', async (_, reply) =>
    reply
      .header('content-type', metrics.contentType)
      .header('cache-control', 'no-store')
      .send(await metrics.text()),
  );
  addBoard(server);
  return server;
}
