import type { OutputConstraint } from '#contracts';
import type { ChatMessage } from '#models';
import type { PromptEnd } from '../rendering/prompt-source.ts';
import type { ReasoningEffort } from './reasoning-effort.ts';
import type { RequestedSampling } from './requested-sampling.ts';
import type { ToolUse } from './tool-use.ts';

/** One turn of a conversation as the chat template sees it. */
export interface RequestMessage extends ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
}

/** That reasoning is to be on or off, and the caller's spelling of the field that says so. */
export interface ReasoningSwitch {
  readonly field: string;
  readonly on: boolean;
}

/** A request after a dialect has checked it: its defaults are filled, nothing here can be wrong by itself. */
export interface ValidGenerateRequest {
  readonly model: string;
  readonly messages: readonly RequestMessage[];
  readonly promptEnd: PromptEnd;
  readonly choices: number;
  readonly sampling: RequestedSampling;
  readonly stopStrings: readonly string[];
  /** Whether the stop string that ended an answer is a part of it. */
  readonly showsStopString: boolean;
  /** The only tokens that may come; null for all. */
  readonly allowedTokenIds: readonly number[] | null;
  /** Words that do not come. */
  readonly badWords: readonly string[];
  /** Tokens that end a choice beside those that end a turn. */
  readonly stopTokenIds: readonly number[];
  /** Most tokens per choice; null for what is left of the context. */
  readonly maxTokens: number | null;
  /** The caller's spelling of the field that `maxTokens` came from; null for a default, which gives way to the context. */
  readonly maxTokensField: string | null;
  /** Goes on after the model ended its turn, until a stop string or `maxTokens`. */
  readonly ignoreEos: boolean;
  /** Nothing but the limit ends a choice before it has so many tokens; 0 for none. */
  readonly minTokens: number;
  /** Order among the tenant's own waiting requests. */
  readonly priorityClass: 'high' | 'normal' | 'low';
  /** What the answer must be; null for free text. Whether it can be enforced is not checked yet. */
  readonly constraint: Exclude<OutputConstraint, { type: 'text' | 'tool_calls' }> | null;
  /** The caller's spelling of the field that says so; null where none does. */
  readonly constraintField: string | null;
  /** Null when the model is to call nothing. */
  readonly toolUse: ToolUse | null;
  /** Null for what the model does by itself. */
  readonly reasoningEffort: ReasoningEffort | null;
  /** Whether the model reasons; null for what it does by itself. */
  readonly reasoningSwitch: ReasoningSwitch | null;
  /** Further variables for the chat template; whether it reads them is not checked yet. */
  readonly templateVariables: Readonly<Record<string, unknown>>;
  /** Alternatives per token besides the chosen one; null when no log probabilities are wanted. */
  readonly topLogprobs: number | null;
  /** Whether the answer tells the ids of its tokens and the prompt's. */
  readonly tellsTokenIds: boolean;
  /** Whether log probabilities name their tokens by ids. */
  readonly namesTokensByIds: boolean;
  /** Only requests with the same salt share computed beginnings of prompts; null for the tenant's common ones. */
  readonly cacheSalt: string | null;
  /** The caller's own name for whom the answer is made, for its abuse reports. */
  readonly user: string | null;
  /** The caller's own notes on the request. */
  readonly metadata: Readonly<Record<string, string>>;
}
