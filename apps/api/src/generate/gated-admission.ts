import {
  type AdmissionGate,
  type AdmissionHandle,
  type AdmissionTerms,
  mayUse,
  type OfferGround,
  type PriceList,
  priceOf,
  type RateStandings,
  type TenantRecord,
} from '#admission';
import { MillraceError } from '#contracts';
import { BOOTSTRAP_TENANT } from '../auth/bootstrap-tenant.ts';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { ModelAccess } from '../catalogue/model-access.ts';
import { requireServed } from '../catalogue/require-served.ts';
import type { Admission, AdmissionRequest, AdmissionStanding, AdmissionTicket } from './admission.ts';
import type { AnswerUsage } from './answer-listener.ts';
import { withTenantParameters } from './tenant-parameters.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** What this reads of libs/admission's `TenantDirectory`. */
export interface TenantSource {
  tenant(tenantId: string): Promise<TenantRecord | null>;
  prices(): Promise<PriceList>;
}

/** Admits what the tenant's limits, its credits and the model's queue allow, over all replicas. */
export class GatedAdmission implements Admission, ModelAccess {
  readonly #gate: Pick<AdmissionGate, 'decide' | 'adopt'>;
  readonly #tenants: TenantSource;

  constructor(gate: Pick<AdmissionGate, 'decide' | 'adopt'>, tenants: TenantSource) {
    this.#gate = gate;
    this.#tenants = tenants;
  }

  async adapt(request: ValidGenerateRequest, tenant: TenantContext): Promise<ValidGenerateRequest> {
    return withTenantParameters(request, await this.#tenant(tenant));
  }

  async mayUse(tenant: TenantContext): Promise<(model: string) => boolean> {
    const record = await this.#tenant(tenant);
    return (model) => mayUse(record, model);
  }

  async admit(request: AdmissionRequest): Promise<AdmissionTicket> {
    requireServed(request.model);
    const [tenant, prices] = await Promise.all([this.#tenant(request.tenant), this.#tenants.prices()]);
    const { card, liveWorkers, liveSlots } = request.model;
    const decision = await this.#gate.decide({
      requestId: request.requestId,
      tenant,
      keyId: request.tenant.keyId,
      model: card.model,
      price: priceOf(prices, card.model),
      workers: liveWorkers,
      slots: liveSlots,
      promptTokens: request.promptTokens,
      completionTokensLimit: request.completionTokensLimit,
      longestWaitMs: request.longestWaitMs,
      priorityClass: request.priorityClass,
      refusedBefore: request.refusedBefore,
      paidMicrocredits: request.paidMicrocredits,
    });
    if (!decision.admitted) {
      if (decision.rates !== null) request.tell(standingOf(decision.rates, null));
      throw decision.error;
    }
    const { handle, terms, rates, ahead, waitMs, mayOffer } = decision;
    request.tell(standingOf(rates, { ahead, waitMs, now: () => handle.position() }));
    return ticketOf(handle, terms, waitMs, mayOffer);
  }

  async adopt(terms: AdmissionTerms): Promise<AdmissionTicket> {
    return ticketOf(await this.#gate.adopt(terms), terms, 0, null);
  }

  async #tenant({ tenantId }: TenantContext): Promise<TenantRecord> {
    const tenant = await this.#tenants.tenant(tenantId);
    if (tenant !== null) return tenant;
    if (tenantId === BOOTSTRAP_TENANT.id) return BOOTSTRAP_TENANT;
    throw new MillraceError('invalid_api_key', 'The tenant of this key was removed. Ask the operator.');
  }
}

function standingOf(rates: RateStandings, queue: AdmissionStanding['queue']): AdmissionStanding {
  return { ...rates, queue };
}

function countsOf(usage: AnswerUsage) {
  return {
    promptTokens: usage.promptTokens,
    cachedTokens: usage.cachedPromptTokens,
    completionTokens: usage.completionTokens,
  };
}

function ticketOf(
  handle: AdmissionHandle,
  terms: AdmissionTerms,
  waitMs: number,
  mayOffer: OfferGround | null,
): AdmissionTicket {
  return {
    priority: handle.priority,
    weight: handle.weight,
    waitMs,
    mayOffer,
    terms,
    offering: () => handle.offering(),
    queueing: (computedAt) => handle.queueing(computedAt),
    queued: (epoch) => handle.queued(epoch),
    started: () => handle.started(),
    queuedAgain: () => handle.queuedAgain(),
    delivering: () => handle.delivering(),
    settle: (outcome, usage) => handle.settle(outcome, countsOf(usage)),
    release: () => handle.release(),
    handOver: () => handle.handOver(),
  };
}
