import { randomInt } from 'node:crypto';
import {
  FIRST_EPOCH,
  type GenerateJob,
  JOB_VERSION,
  MillraceError,
  type ModelCard,
  type OutputConstraint,
  type TokenLimits,
} from '#contracts';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { RenderedTokens } from '../rendering/prompt-source.ts';
import { samplingOf } from './requested-sampling.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** `randomInt` draws below 2^48, which a seed of any engine can hold. */
const SEED_LIMIT = 2 ** 48 - 1;

export interface JobOrigin {
  readonly requestId: string;
  readonly tenant: TenantContext;
  readonly relayAddress: string;
  readonly replicaId: string;
  readonly traceparent: string | null;
  /** Longest wait in the queue; null for any. */
  readonly longestWaitMs: number | null;
  readonly resumeBy: 'exact' | 'fast';
  /** Nobody reads the answer before it is complete. */
  readonly whole: boolean;
}

/**
 * The first attempt's job of a request.
 * @throws MillraceError invalid_request when a field names a token that the model does not have, or more choices are asked for
 * than a worker can run together
 */
export function generateJobOf(
  request: Omit<ValidGenerateRequest, 'constraint'> & { readonly constraint: OutputConstraint | null },
  model: CataloguedModel,
  prompt: Pick<RenderedTokens, 'tokenIds' | 'begun' | 'badWordTokenIds'>,
  maxTokens: number,
  origin: JobOrigin,
): GenerateJob {
  const { card } = model;
  const biased = request.sampling.logitBias.map(([tokenId]) => tokenId);
  requireTokens('logit_bias', biased, card);
  requireTokens('stop_token_ids', request.stopTokenIds, card);
  const tokenLimits = tokenLimitsOf(request.allowedTokenIds, prompt.badWordTokenIds, card);
  if (request.minTokens > maxTokens) {
    throw new MillraceError(
      'invalid_request',
      `min_tokens is ${request.minTokens}, but the answer may have ${maxTokens} tokens at most. Ask for fewer.`,
      { param: 'min_tokens' },
    );
  }
  if (request.choices > model.fewestSlots) {
    throw new MillraceError(
      'invalid_request',
      `n is ${request.choices}, but workers of "${card.model}" run ${model.fewestSlots} choices of one request at most. Send several requests with fewer each.`,
      { param: 'n' },
    );
  }
  const enqueuedAtMs = Date.now();
  return {
    version: JOB_VERSION,
    requestId: origin.requestId,
    epoch: FIRST_EPOCH,
    model: card.model,
    cardHash: model.cardHash,
    tenantId: origin.tenant.tenantId,
    ...(request.cacheSalt === null ? {} : { cacheSalt: request.cacheSalt }),
    promptTokenIds: Array.from(prompt.tokenIds),
    ...(prompt.begun.trim() === '' ? {} : { continuesText: true as const }),
    choices: request.choices,
    sampling: samplingOf(request.sampling, card.samplingDefaults, () => randomInt(SEED_LIMIT)),
    stop: {
      tokenIds: [...new Set([...(request.ignoreEos ? [] : card.eosTokenIds), ...request.stopTokenIds])],
      strings: [...request.stopStrings],
      ...(request.showsStopString && { showsString: true as const }),
      ...(request.minTokens > 0 && { minTokens: request.minTokens }),
      maxTokens,
    },
    ...(request.constraint === null ? {} : { constraint: request.constraint }),
    ...(tokenLimits === null ? {} : { tokenLimits }),
    topLogprobs: request.topLogprobs,
    ...(origin.resumeBy === 'fast' ? { resume: 'fast' as const } : {}),
    ...(origin.whole ? { whole: true as const } : {}),
    relayAddress: origin.relayAddress,
    replicaId: origin.replicaId,
    enqueuedAtMs,
    deadlineMs: origin.longestWaitMs === null ? null : enqueuedAtMs + Math.ceil(origin.longestWaitMs),
    traceparent: origin.traceparent,
  };
}

/** @throws MillraceError invalid_request where no token is left */
function tokenLimitsOf(
  allowed: readonly number[] | null,
  banned: RenderedTokens['badWordTokenIds'],
  card: ModelCard,
): TokenLimits | null {
  if (allowed === null && banned.length === 0) return null;
  requireTokens('allowed_token_ids', allowed ?? [], card);
  const never = new Set(banned.filter((tokenIds) => tokenIds.length === 1).flat());
  if (allowed?.every((tokenId) => never.has(tokenId))) {
    throw new MillraceError(
      'invalid_request',
      'bad_words leave none of the tokens that allowed_token_ids allows. Remove some of them.',
      { param: 'bad_words' },
    );
  }
  return {
    ...(allowed === null ? {} : { allowed: [...allowed] }),
    ...(banned.length === 0 ? {} : { banned: banned.map((tokenIds) => [...tokenIds]) }),
  };
}

function requireTokens(field: string, tokenIds: readonly number[], { model, vocabularySize }: ModelCard): void {
  const missing = tokenIds.find((tokenId) => tokenId >= vocabularySize);
  if (missing === undefined) return;
  throw new MillraceError(
    'invalid_request',
    `${field} names token ${missing}, but "${model}" has the tokens 0 to ${vocabularySize - 1}. Remove it.`,
    { param: field },
  );
}
