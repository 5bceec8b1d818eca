import { z } from 'zod';
import { PriceList, TenancyDocument } from '#admission';
import type { NamedSchema } from '../dialects/dialect.ts';
import { OPENAI_CHAT } from '../dialects/openai-chat/openai-chat-dialect.ts';
import {
  AuditRow,
  BegunView,
  GrantBody,
  ImportView,
  KeyBody,
  KeyList,
  LedgerConfirmBody,
  LedgerReadBody,
  LedgerRow,
  LoadBody,
  NewKeyView,
  QueueView,
  RefusedRow,
  RotateBody,
  TenantBody,
  TenantChange,
  TenantList,
  TenantView,
  UsageRow,
  WorkerView,
} from './admin-bodies.ts';

/** Bodies of the admin API, for the OpenAPI document. */
export const ADMIN_SCHEMAS = {
  tenantList: { name: 'TenantList', schema: TenantList },
  tenantBody: { name: 'TenantBody', schema: TenantBody },
  tenantChange: { name: 'TenantChange', schema: TenantChange },
  tenant: { name: 'TenantView', schema: TenantView },
  grant: { name: 'GrantBody', schema: GrantBody },
  usage: { name: 'UsageList', schema: z.strictObject({ usage: z.array(UsageRow) }) },
  keyBody: { name: 'KeyBody', schema: KeyBody },
  keyList: { name: 'KeyList', schema: KeyList },
  newKey: { name: 'NewKeyView', schema: NewKeyView },
  rotate: { name: 'RotateBody', schema: RotateBody },
  prices: { name: 'PriceList', schema: PriceList },
  tenancy: { name: 'TenancyDocument', schema: TenancyDocument },
  imported: { name: 'ImportView', schema: ImportView },
  ledger: { name: 'LedgerEntries', schema: z.strictObject({ entries: z.array(LedgerRow) }) },
  refused: { name: 'RefusedList', schema: z.strictObject({ refused: z.array(RefusedRow) }) },
  ledgerRead: { name: 'LedgerReadBody', schema: LedgerReadBody },
  audit: { name: 'AuditList', schema: z.strictObject({ entries: z.array(AuditRow) }) },
  queues: { name: 'QueueList', schema: z.strictObject({ queues: z.array(QueueView) }) },
  workers: { name: 'WorkerList', schema: z.strictObject({ workers: z.array(WorkerView) }) },
  load: { name: 'LoadBody', schema: LoadBody },
  begun: { name: 'BegunView', schema: BegunView },
  ledgerConfirm: { name: 'LedgerConfirmBody', schema: LedgerConfirmBody },
} as const satisfies Record<string, NamedSchema>;

const S = ADMIN_SCHEMAS;
const refer = ({ name }: NamedSchema) => ({
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
});

interface Route {
  readonly summary: string;
  readonly body?: NamedSchema;
  readonly answer?: NamedSchema;
  readonly query?: readonly string[];
  readonly created?: boolean;
  /** It goes on after the answer. */
  readonly begun?: boolean;
}

function operation(operationId: string, path: string, { summary, body, answer, query = [], created, begun }: Route) {
  const failure = (description: string) => ({ description, ...refer(OPENAI_CHAT.schemas.error) });
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true }));
  return {
    operationId,
    summary,
    tags: ['admin'],
    security: [{ bearer: [] }],
    parameters: [...inPath, ...query.map((name) => ({ name, in: 'query', required: false }))].map((parameter) => ({
      ...parameter,
      schema: { type: 'string' },
    })),
    ...(body !== undefined && { requestBody: { required: true, ...refer(body) } }),
    responses: {
      [created === true ? 201 : begun === true ? 202 : 200]: {
        description: begun === true ? 'Begun.' : 'Done.',
        ...(answer !== undefined && refer(answer)),
      },
      400: failure('The request is not valid.'),
      401: failure('No valid key.'),
      403: failure('The key may not do this.'),
      404: failure('There is no such tenant, key, worker or model.'),
      ...(begun === true && { 409: failure('The worker has no room for it.') }),
      503: failure('Redis is away.'),
    },
  };
}

const USAGE_QUERY = ['from', 'to', 'by', 'format'];

const ROUTES: Readonly<Record<string, Readonly<Record<string, [operationId: string, route: Route]>>>> = {
  '/admin/v1/tenants': {
    get: ['listTenants', { summary: 'All tenants, by id', answer: S.tenantList, query: ['after', 'limit'] }],
  },
  '/admin/v1/tenants/{id}': {
    get: ['getTenant', { summary: 'A tenant and its account', answer: S.tenant }],
    put: ['putTenant', { summary: 'Creates or replaces a tenant', body: S.tenantBody, answer: S.tenant }],
    patch: [
      'changeTenant',
      { summary: 'Changes the fields that are named and leaves the others', body: S.tenantChange, answer: S.tenant },
    ],
    delete: ['removeTenant', { summary: 'Removes a tenant and its keys; what it spent stays in usage and ledger' }],
  },
  '/admin/v1/tenants/{id}/grants': {
    post: [
      'grantCredits',
      { summary: 'Grants credits, once per grant id', body: S.grant, answer: S.tenant, created: true },
    ],
  },
  '/admin/v1/tenants/{id}/usage': {
    get: [
      'getUsage',
      { summary: `A tenant's usage by UTC day and model, or by key`, answer: S.usage, query: USAGE_QUERY },
    ],
  },
  '/admin/v1/usage': {
    get: [
      'listUsage',
      {
        summary: 'Usage of all tenants, removed ones too, by UTC day and model, or by key; as JSON, JSON lines or CSV',
        answer: S.usage,
        query: USAGE_QUERY,
      },
    ],
  },
  '/admin/v1/tenants/{id}/ledger': {
    get: [
      'getLedger',
      {
        summary: 'Ledger entries after one of them, as JSON, JSON lines or CSV',
        answer: S.ledger,
        query: ['after', 'count', 'format'],
      },
    ],
  },
  '/admin/v1/tenants/{id}/ledger/{group}/read': {
    post: [
      'readLedger',
      {
        summary: 'Takes entries that no member of the group has taken; again after a minute until they are confirmed',
        body: S.ledgerRead,
        answer: S.ledger,
      },
    ],
  },
  '/admin/v1/tenants/{id}/ledger/{group}/confirm': {
    post: ['confirmLedger', { summary: 'Entries are stored safely and shall not come again', body: S.ledgerConfirm }],
  },
  '/admin/v1/tenants/{id}/keys': {
    get: [
      'listKeys',
      {
        summary: 'Keys of a tenant, the oldest first, without the keys themselves',
        answer: S.keyList,
        query: ['after', 'limit'],
      },
    ],
    post: [
      'createKey',
      { summary: 'Creates a key, which is shown once', body: S.keyBody, answer: S.newKey, created: true },
    ],
  },
  '/admin/v1/keys/{keyId}': { delete: ['revokeKey', { summary: 'Revokes a key on all replicas within a second' }] },
  '/admin/v1/keys/{keyId}/rotate': {
    post: ['rotateKey', { summary: 'Replaces a key', body: S.rotate, answer: S.newKey, created: true }],
  },
  '/admin/v1/refused-requests': {
    get: [
      'listRefusedRequests',
      {
        summary: 'Requests that were not tried again because they may be what ends workers, the newest first',
        answer: S.refused,
        query: ['count'],
      },
    ],
  },
  '/admin/v1/audit': {
    get: [
      'listAudit',
      {
        summary: 'What was changed through the admin API and by which key, the newest first',
        answer: S.audit,
        query: ['before', 'count'],
      },
    ],
  },
  '/admin/v1/queues': {
    get: ['listQueues', { summary: 'Queues of all models that were ever served', answer: S.queues }],
  },
  '/admin/v1/workers': {
    get: [
      'listWorkers',
      { summary: 'Live workers, their models in whatever state, and their memory', answer: S.workers },
    ],
  },
  '/admin/v1/workers/{workerId}/models': {
    post: [
      'loadModel',
      {
        summary: 'Has a worker load one more model; the list of workers tells when it is ready, or why it failed',
        body: S.load,
        answer: S.begun,
        begun: true,
      },
    ],
  },
  '/admin/v1/workers/{workerId}/models/{model}': {
    delete: [
      'unloadModel',
      {
        summary: 'Has a worker drain and unload a model; it is gone from the list of workers when that is done',
        answer: S.begun,
        query: ['graceMs'],
        begun: true,
      },
    ],
  },
  '/admin/v1/prices': {
    get: ['getPrices', { summary: 'Credits per 1,000 tokens', answer: S.prices }],
    put: ['putPrices', { summary: 'Replaces the prices', body: S.prices, answer: S.prices }],
  },
  '/admin/v1/tenancy': {
    get: ['exportTenancy', { summary: 'All tenants, key hashes and prices as one document', answer: S.tenancy }],
    put: [
      'importTenancy',
      {
        summary: 'Applies such a document, or says what it would change; idempotent',
        body: S.tenancy,
        answer: S.imported,
        query: ['prune', 'dryRun'],
      },
    ],
  },
};

/** The admin API's part of the OpenAPI document. */
export function adminPaths(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(ROUTES).map(([path, methods]) => [
      path,
      Object.fromEntries(Object.entries(methods).map(([method, [id, route]]) => [method, operation(id, path, route)])),
    ]),
  );
}
