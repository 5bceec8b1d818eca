import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AuditLog, AuditRecord } from '#admission';
import type { Logger } from '#observability';

const ADMIN = '/admin/v1/';
/** What changes nothing that an operator set: somebody takes ledger entries. */
const TAKING = /\/ledger\//;

/**
 * Notes every change through the admin API before it is answered, in the log and in Redis. A change is not undone when it
 * can not be noted in Redis: the log has it then.
 */
export function addAudit(server: FastifyInstance, audit: Pick<AuditLog, 'add'>, logger: Logger): void {
  const note = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    const record = reply.statusCode < 400 ? auditRecordOf(request, payload) : null;
    if (record === null) return payload;
    logger.info(record, 'changed through the admin API');
    await audit.add(record).catch((err: unknown) => logger.warn({ err, requestId: record.requestId }, 'not audited'));
    return payload;
  };
  server.addHook('onRoute', (route) => {
    const changes = route.url.startsWith(ADMIN) && ![route.method].flat().includes('GET') && !TAKING.test(route.url);
    if (changes) route.preSerialization = note;
  });
}

function auditRecordOf(request: FastifyRequest, payload: unknown): AuditRecord | null {
  const { method, tenant } = request;
  const route = request.routeOptions.url ?? '';
  if (tenant === null || fieldOf(request.query, 'dryRun') === 'true') return null;
  return {
    requestId: request.id,
    tenantId: tenant.tenantId,
    keyId: tenant.keyId,
    action: `${method} ${route.slice(ADMIN.length)}`,
    subject: Object.values(request.params as Readonly<Record<string, string>>),
    detail: detailOf(request.body, payload),
  };
}

/** The changes of a document, which has hashes of keys; a new key's record, without the key; else what was asked for. */
function detailOf(body: unknown, payload: unknown): unknown {
  const changes = fieldOf(payload, 'changes');
  if (changes !== undefined) return { changes };
  const made = fieldOf(payload, 'record');
  return made === undefined ? (body ?? null) : { ...(body as object), keyId: fieldOf(made, 'keyId') };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
