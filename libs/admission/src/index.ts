/**
 * Tenants, keys, limits, credits and fair queueing: the one decision whether a request may enter the queue.
 *
 * @module
 * @example
 * import { AdmissionGate, TenantDirectory } from '#admission';
 * const directory = new TenantDirectory(redis);
 * const known = await directory.byKey(key); // null: 401
 * await using gate = new AdmissionGate({ redis });
 * const decision = await gate.decide({ requestId, tenant: known.tenant, keyId: known.key.keyId, model, price, ...counts });
 * if (!decision.admitted) throw decision.error; // 402, 403, 429 or 503 with a truthful retryAfterMs
 * await decision.handle.started();
 * await decision.handle.settle('completed', { promptTokens: 12, cachedTokens: 0, completionTokens: 30 });
 */
export type { AccountState, AccountSums, AllowanceStanding } from './accounts/account-state.ts';
export {
  type RateStanding,
  type Reservation,
  type ReserveAnswer,
  type Settlement,
  TenantAccount,
} from './accounts/tenant-account.ts';
export { type AuditEntry, AuditLog, type AuditRecord } from './audit/audit-log.ts';
export { type Clock, systemClock } from './clock.ts';
export { Allowance, AllowancePeriod } from './credits/allowance.ts';
export { creditsOf, microcreditsOf } from './credits/credits.ts';
export {
  chargeOf,
  DEFAULT_PRICE,
  holdOf,
  ModelPrice,
  PriceList,
  priceOf,
  type TokenCounts,
} from './credits/price-list.ts';
export { AdmissionGate, type AdmissionGateOptions } from './decision/admission-gate.ts';
export type { AdmissionHandle } from './decision/admission-handle.ts';
export type { AdmissionTerms } from './decision/admission-terms.ts';
export type { AdmissionRequest, Admitted, Decision, OfferGround, RateStandings, Refused } from './decision/decision.ts';
export { LONGEST_RETRY_AFTER_MS } from './decision/refusals.ts';
export { apiKeyHash, apiKeyPrefix, newApiKey, sameHash } from './keys/api-key.ts';
export { type KeyListing, KeyRecord, KeyRole } from './keys/key-record.ts';
export { type CreatedKey, KeyStore, type NewKey } from './keys/key-store.ts';
export { type KnownKey, TenantDirectory } from './keys/tenant-directory.ts';
export { csvLine } from './ledger/csv.ts';
export type { LedgerEntry } from './ledger/ledger-entry.ts';
export { LEDGER_CSV_HEADER, ledgerCsvLine, ledgerJsonLine } from './ledger/ledger-format.ts';
export { ledgerLag } from './ledger/ledger-lag.ts';
export { ledgerPage } from './ledger/ledger-page.ts';
export { LedgerReader } from './ledger/ledger-reader.ts';
export { LedgerWebhook, type LedgerWebhookOptions } from './ledger/ledger-webhook.ts';
export { type DayUsage, type UsageGrouping, usageOf } from './ledger/usage.ts';
export { HIGHEST_PRIORITY, REBASE_TOKENS, UNIT_TOKENS } from './places/fair-tags.ts';
export {
  ModelPlaces,
  type PlaceAnswer,
  type PlaceHolder,
  type PlaceRequest,
  type QueuePosition,
} from './places/model-places.ts';
export { PRIORITY_CLASSES, type PriorityClass } from './places/priority-class.ts';
export { PromptAffinity } from './places/prompt-affinity.ts';
export { type QueueOutlook, queueOutlook } from './places/queue-outlook.ts';
export { type DueNotices, DueRequests, type SummonedRequest } from './seats/due-requests.ts';
export { type ApplyOptions, applyTenancy } from './tenants/apply-tenancy.ts';
export type { FieldChange, TenancyChange } from './tenants/tenancy-changes.ts';
export { exportTenancy, TenancyDocument } from './tenants/tenancy-document.ts';
export { mayUse, Tenant, TenantId, type TenantInput, TenantRecord } from './tenants/tenant-record.ts';
export { TenantStore } from './tenants/tenant-store.ts';
