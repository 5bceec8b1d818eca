import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { RoutedMethods } from './routed-methods.ts';

describe('RoutedMethods', () => {
  it('knows the methods of the routes that an address may belong to', async () => {
    const server = fastify();
    const routed = RoutedMethods.of(server);
    const answer = async () => '';
    server.get('/v1/models', answer);
    server.get('/v1/models/*', answer);
    server.route({ method: ['PATCH', 'PUT'], url: '/tenants/:id', handler: answer });
    server.delete('/tenants/:id', answer);
    server.post('/tenants/:id/grants', answer);
    await server.ready();
    expect(
      ['/v1/models', '/v1/models/a/b', '/tenants/x', '/tenants/x/grants', '/tenants/', '/tenants/x/y', '/v1', '/'].map(
        (path) => routed.at(path).join(' '),
      ),
    ).toEqual(['GET', 'GET', 'PUT PATCH DELETE', 'POST', '', '', '', '']);
    await server.close();
  });
});
