import fastify, { type FastifyInstance } from 'fastify';
import type { Readiness } from './readiness.ts';

/** The health routes on a port of their own, which stays inside the cluster. */
export function createManagementServer(readiness: Readiness): FastifyInstance {
  const server = fastify({ forceCloseConnections: true });
  server.get('/healthz', () => ({ status: 'ok' }));
  server.get('/readyz', async (_, reply) => {
    const report = await readiness.report();
    return reply.status(report.status === 'ready' ? 200 : 503).send(report);
  });
  return server;
}
