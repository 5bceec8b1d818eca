import { mayUse, type TenantRecord } from '#admission';
import { MillraceError } from '#contracts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/**
 * Fills in a tenant's default number of tokens and holds a request to its maxima.
 * @throws MillraceError model_not_allowed, or invalid_request naming the parameter and the maximum
 */
export function withTenantParameters(request: ValidGenerateRequest, tenant: TenantRecord): ValidGenerateRequest {
  if (!mayUse(tenant, request.model)) {
    throw new MillraceError(
      'model_not_allowed',
      `Your tenant "${tenant.id}" may not use the model "${request.model}". Ask the operator for it, or use another model.`,
      { param: 'model' },
    );
  }
  const { defaultMaxTokens, maximumMaxTokens, maximumChoices } = tenant.parameters;
  if (maximumChoices !== null && request.choices > maximumChoices) {
    throw new MillraceError(
      'invalid_request',
      `n is ${request.choices}, but your tenant may ask for ${maximumChoices} at most.`,
      { param: 'n' },
    );
  }
  // A field name is there only when the caller chose the number.
  const asked = request.maxTokensField === null ? null : request.maxTokens;
  if (asked !== null && maximumMaxTokens !== null && asked > maximumMaxTokens) {
    throw new MillraceError(
      'invalid_request',
      `${request.maxTokensField} is ${asked}, but your tenant may ask for ${maximumMaxTokens} at most.`,
      { param: request.maxTokensField ?? 'max_tokens' },
    );
  }
  if (asked !== null) return request;
  const limits = [request.maxTokens, defaultMaxTokens, maximumMaxTokens].filter((limit) => limit !== null);
  return limits.length === 0 ? request : { ...request, maxTokens: Math.min(...limits) };
}
