import type { FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import type { TenantContext } from './tenant-context.ts';

/** Who asks, on a route that needs a key. */
export function callerOf({ tenant }: Pick<FastifyRequest, 'tenant'>): TenantContext {
  if (tenant === null) throw new MillraceError('internal_error', 'A route that needs a key ran without one.');
  return tenant;
}
