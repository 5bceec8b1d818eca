import { type AdmissionRequest, type TenantInput, TenantRecord } from '#admission';

let sequence = 0;

/** A complete request for admission by a tenant without limits; give what the test is about. */
export function admissionRequest(
  tenant: Partial<TenantInput> = {},
  overrides: Partial<Omit<AdmissionRequest, 'tenant'>> = {},
): AdmissionRequest {
  sequence += 1;
  return {
    requestId: `request-${sequence}`,
    tenant: TenantRecord.parse({ id: 'team-a', ...tenant }),
    keyId: 'key-1',
    model: 'org/model:1',
    price: { prompt: 1, cachedPrompt: 0.1, completion: 2 },
    workers: 1,
    slots: 4,
    promptTokens: 100,
    completionTokensLimit: 400,
    longestWaitMs: null,
    refusedBefore: null,
    ...overrides,
  };
}
