import type { ModelRunner } from '#contracts';
import { LimitedTokens } from './constraints/limited-tokens.ts';
import { MinimumTokens } from './constraints/minimum-tokens.ts';
import type { TokenConstraint, TokenConstraints } from './constraints/token-constraint.ts';
import { failureOf, messageOf } from './engine-failures.ts';
import type { EngineRequest } from './engine-request.ts';
import { checkRequest } from './request-check.ts';
import { ActiveRequest } from './sequences/active-request.ts';
import type { RequestFailure } from './step-output.ts';
import type { TokenTexts } from './text/token-texts.ts';

export interface RequestIntakeParts {
  readonly runner: ModelRunner;
  readonly texts: TokenTexts;
  /** Delivered tokens of one choice above which they are prefilled instead of decoded anew. */
  readonly replayLimitTokens: number;
  /** Null where no constraint can be enforced. */
  readonly constraints: TokenConstraints | null;
}

/** Makes sequences of a request, brought to where an earlier attempt left them; or says why it can never run here. */
export class RequestIntake {
  readonly #parts: RequestIntakeParts;

  constructor(parts: RequestIntakeParts) {
    this.#parts = parts;
  }

  take(input: EngineRequest): ActiveRequest | RequestFailure {
    const { runner, texts, replayLimitTokens } = this.#parts;
    const failure = checkRequest(input, runner);
    if (failure !== null) return failure;
    const constraints = this.#constraintsOf(input);
    if (constraints !== null && 'code' in constraints) return constraints;
    const byPrefill = input.resumeFast === true || runner.description.runInvariant;
    const limitTokens = byPrefill ? 0 : replayLimitTokens;
    const request = new ActiveRequest(input, runner, texts, limitTokens, constraints);
    const misfit = request.resume();
    if (misfit === null) return request;
    for (const sequence of request.sequences) sequence.end();
    return failureOf(input, `the tokens delivered of choice ${misfit} go on behind its end`);
  }

  /** One constraint per choice, null for free text, or why there can be none: never an answer without its constraint. */
  #constraintsOf(input: EngineRequest): readonly TokenConstraint[] | RequestFailure | null {
    const { requestId, epoch, constraint = null, tokenLimits = null, translated = null, choices, stop } = input;
    const { constraints, runner } = this.#parts;
    const { minTokens = 0, tokenIds } = stop;
    if (constraint === null && tokenLimits === null && minTokens === 0) return null;
    const made: TokenConstraint[] = [];
    try {
      if (constraint !== null && constraints === null) throw new Error('this worker enforces none');
      while (made.length < choices) {
        const held = constraint === null ? null : (constraints?.create(constraint, tokenIds, translated) ?? null);
        const { vocabularySize } = runner.shape;
        const limited = tokenLimits === null ? held : new LimitedTokens(held, tokenLimits, vocabularySize);
        const either = minTokens === 0 ? limited : new MinimumTokens(limited, minTokens, tokenIds, vocabularySize);
        if (either !== null) made.push(either);
      }
      return made;
    } catch (error) {
      for (const each of made) each[Symbol.dispose]();
      const message = `the ${constraint?.type} constraint can not be enforced: ${messageOf(error)}`;
      return { requestId, epoch, code: 'invalid_request', message };
    }
  }
}
