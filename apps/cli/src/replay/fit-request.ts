import type { TracedRequest } from './trace/traced-request.ts';

/** What lengths of a trace are made to be. */
export interface LengthLimits {
  /** What they are multiplied with. */
  readonly scale: number;
  /** Of a prompt of one word: shorter ones get as many. */
  readonly fewestPromptTokens: number;
  readonly mostPromptTokens: number;
  readonly mostAnswerTokens: number;
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number;
}

export interface FittedRequest extends TracedRequest {
  readonly promptCut: boolean;
  readonly answerCut: boolean;
}

/** A prompt has about the tokens that it is to have: so much room is left for it. */
const PROMPT_ROOM = 0.98;
const PROMPT_ROOM_TOKENS = 8;

/**
 * A request in the lengths that are wanted and that the model can take: where both do not fit, an answer keeps up to half of the
 * context, and its prompt is cut to the rest.
 */
export function fitRequest(request: TracedRequest, limits: LengthLimits): FittedRequest {
  const { scale, fewestPromptTokens, mostPromptTokens, mostAnswerTokens, contextLength } = limits;
  const wanted = {
    prompt: Math.max(1, Math.round(request.promptTokens * scale)),
    answer: Math.max(1, Math.round(request.answerTokens * scale)),
  };
  const kept = Math.min(wanted.answer, mostAnswerTokens, Math.max(1, Math.floor(contextLength / 2)));
  const room = Math.max(1, Math.floor(PROMPT_ROOM * (contextLength - kept)) - PROMPT_ROOM_TOKENS);
  const promptTokens = Math.max(fewestPromptTokens, Math.min(wanted.prompt, mostPromptTokens, room));
  const left = contextLength - Math.ceil((promptTokens + PROMPT_ROOM_TOKENS) / PROMPT_ROOM);
  const answerTokens = Math.max(1, Math.min(wanted.answer, mostAnswerTokens, left));
  return {
    ...request,
    promptTokens,
    answerTokens,
    promptCut: promptTokens < wanted.prompt,
    answerCut: answerTokens < wanted.answer,
  };
}
