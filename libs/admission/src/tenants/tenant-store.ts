import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { MillraceError } from '#contracts';
import { redisCall, redisKeys } from '#queue';
import { TenantAccount } from '../accounts/tenant-account.ts';
import type { Allowance } from '../credits/allowance.ts';
import { creditsOf, microcreditsOf } from '../credits/credits.ts';
import { PriceList } from '../credits/price-list.ts';
import { LuaScript } from '../lua/lua-script.ts';
import { allowanceProblem, Tenant, type TenantInput, TenantRecord } from './tenant-record.ts';

const replaceTenant = new LuaScript('replace-tenant', 1);
/** Each fails only because another change was made meanwhile. */
const MOST_ATTEMPTS = 20;

/**
 * Tenants and prices in Redis. Every change is announced to all replicas.
 * Every method throws MillraceError `unavailable` when Redis is away.
 */
export class TenantStore {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Creates the tenant or replaces it. @throws MillraceError invalid_request naming the field */
  async put(input: TenantInput): Promise<Tenant> {
    const tenant = parseTenant(input);
    const { allowance, ...record } = tenant;
    // Before the record, so that no request meets a tenant that is metered and has not got it yet.
    await this.#account(record.id).setAllowance(inMicrocredits(allowance));
    await redisCall(this.#redis, `store tenant ${record.id}`, () =>
      this.#redis
        .multi()
        .hset(redisKeys.tenants, record.id, JSON.stringify(record))
        .publish(redisKeys.tenancyChanged, record.id)
        .exec(),
    );
    return tenant;
  }

  /**
   * Changes the fields that are named and leaves the others, of `parameters` and `allowance` too; safe beside other changes
   * made at once.
   * @throws MillraceError not_found when there is no such tenant, invalid_request naming the field
   */
  async change(tenantId: string, fields: Readonly<Record<string, unknown>>): Promise<Tenant> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
      const text = await redisCall(this.#redis, `read tenant ${tenantId}`, () =>
        this.#redis.hget(redisKeys.tenants, tenantId),
      );
      if (text === null) throw new MillraceError('not_found', `There is no tenant "${tenantId}".`);
      const before: Tenant = { ...TenantRecord.parse(JSON.parse(text)), allowance: await this.#allowanceOf(tenantId) };
      const merged = { ...before, ...fields, id: tenantId };
      for (const name of ['parameters', 'allowance'] as const) {
        if (isObject(fields[name])) merged[name] = { ...before[name], ...fields[name] } as never;
      }
      const tenant = parseTenant(merged);
      const { allowance, ...record } = tenant;
      if (fields.allowance !== undefined) {
        const named = isObject(fields.allowance) ? Object.keys(fields.allowance) : [];
        const wanted = inMicrocredits(allowance, (field) => named.includes(field));
        // Another took it away meanwhile.
        if (!(await this.#account(tenantId).setAllowance(wanted))) continue;
      }
      const args = [tenantId, text, JSON.stringify(record), redisKeys.tenancyChanged];
      const written = await redisCall(this.#redis, `change tenant ${tenantId}`, () =>
        replaceTenant.run(this.#redis, [redisKeys.tenants], args),
      );
      if (written === 1) return tenant;
    }
    throw new MillraceError('unavailable', `Tenant "${tenantId}" is being changed all the time. Try again.`, {
      retryAfterMs: 1_000,
    });
  }

  /** Creates the tenant unless there is one of that id. */
  async putIfAbsent(input: z.input<typeof TenantRecord>): Promise<void> {
    const record = parseWith(TenantRecord, input);
    await redisCall(this.#redis, `store tenant ${record.id}`, () =>
      this.#redis.hsetnx(redisKeys.tenants, record.id, JSON.stringify(record)),
    );
  }

  async get(tenantId: string): Promise<Tenant | null> {
    const text = await redisCall(this.#redis, `read tenant ${tenantId}`, () =>
      this.#redis.hget(redisKeys.tenants, tenantId),
    );
    return text === null ? null : this.#withAllowance(text);
  }

  /** Sorted by id. */
  async list(): Promise<Tenant[]> {
    const texts = await redisCall(this.#redis, 'list the tenants', () => this.#redis.hvals(redisKeys.tenants));
    const tenants = await Promise.all(texts.map((text) => this.#withAllowance(text)));
    return tenants.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  ids(): Promise<string[]> {
    return redisCall(this.#redis, 'list the tenants', () => this.#redis.hkeys(redisKeys.tenants));
  }

  /** The tenants of the ids behind `after`, sorted by id; from the first where it is null. */
  async page(after: string | null, limit: number): Promise<{ tenants: Tenant[]; hasMore: boolean }> {
    const behind = (await this.ids()).filter((id) => after === null || id > after).sort();
    const wanted = behind.slice(0, limit);
    const texts =
      wanted.length === 0
        ? []
        : await redisCall(this.#redis, 'list the tenants', () => this.#redis.hmget(redisKeys.tenants, ...wanted));
    // One may have been removed meanwhile.
    const stored = texts.filter((text) => text !== null);
    return {
      tenants: await Promise.all(stored.map((text) => this.#withAllowance(text))),
      hasMore: behind.length > limit,
    };
  }

  /** What it has spent stays in its account and ledger, and its allowance ends. @returns whether there was one */
  async remove(tenantId: string): Promise<boolean> {
    const results = await redisCall(this.#redis, `remove tenant ${tenantId}`, () =>
      this.#redis.multi().hdel(redisKeys.tenants, tenantId).publish(redisKeys.tenancyChanged, tenantId).exec(),
    );
    const removed = results?.[0]?.[1] === 1;
    if (removed) {
      await redisCall(this.#redis, `note that ${tenantId} was removed`, () =>
        this.#redis.sadd(redisKeys.formerTenants, tenantId),
      );
      await this.#account(tenantId).setAllowance(null);
    }
    return removed;
  }

  /** Ids of all that may have a ledger, sorted: stored tenants, removed ones, and whoever asked of late without being stored. */
  async everKnown(): Promise<string[]> {
    const ids = await redisCall(this.#redis, 'list the tenants with a ledger', async () => [
      ...(await this.#redis.hkeys(redisKeys.tenants)),
      ...(await this.#redis.smembers(redisKeys.formerTenants)),
      ...(await this.#redis.zrange(redisKeys.activeTenants, 0, -1)),
    ]);
    return [...new Set(ids)].sort();
  }

  async prices(): Promise<PriceList> {
    const text = await redisCall(this.#redis, 'read the prices', () => this.#redis.get(redisKeys.prices));
    return PriceList.parse(text === null ? {} : JSON.parse(text));
  }

  async putPrices(prices: PriceList): Promise<void> {
    await redisCall(this.#redis, 'store the prices', () =>
      this.#redis
        .multi()
        .set(redisKeys.prices, JSON.stringify(PriceList.parse(prices)))
        .publish(redisKeys.tenancyChanged, '')
        .exec(),
    );
  }

  #account(tenantId: string): TenantAccount {
    return new TenantAccount(this.#redis, tenantId);
  }

  async #withAllowance(text: string): Promise<Tenant> {
    const record = TenantRecord.parse(JSON.parse(text));
    return { ...record, allowance: await this.#allowanceOf(record.id) };
  }

  async #allowanceOf(tenantId: string): Promise<Allowance | null> {
    const { allowance } = await this.#account(tenantId).read();
    return allowance && { credits: creditsOf(allowance.microcredits), period: allowance.period };
  }
}

/** @param named which of its fields are to be set; all when left out */
function inMicrocredits(allowance: Allowance | null, named: (field: keyof Allowance) => boolean = () => true) {
  if (allowance === null) return null;
  return {
    ...(named('credits') && { microcredits: microcreditsOf(allowance.credits) }),
    ...(named('period') && { period: allowance.period }),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseTenant(input: unknown): Tenant {
  const tenant = parseWith(Tenant, input);
  const problem = allowanceProblem(tenant.credits, tenant.allowance);
  if (problem === null) return tenant;
  throw new MillraceError('invalid_request', `The tenant can not be stored: allowance: ${problem}.`, {
    param: 'allowance',
  });
}

function parseWith<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'tenant'}: ${issue.message}`);
  throw new MillraceError('invalid_request', `The tenant can not be stored: ${problems.join('; ')}.`, {
    param: result.error.issues[0]?.path.join('.'),
  });
}
