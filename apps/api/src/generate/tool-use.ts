import type { OutputConstraint } from '#contracts';
import type { CallableTool, ChatTool } from '#models';

/** A tool that the model may call; `strict` holds its arguments to its schema in free calls too. */
export interface RequestTool extends CallableTool {
  readonly strict: boolean;
  /** The grammar of a custom tool's input; absent where that is any text. */
  readonly input?: InputGrammar;
}

export type InputGrammar = NonNullable<Extract<OutputConstraint, { type: 'tool_calls' }>['tools'][number]['input']>;

/** Which tools a request shows to the model, and what it may or must do with them. */
export interface ToolUse {
  /** All that the model is shown, at least one. */
  readonly tools: readonly RequestTool[];
  /** Names of those that it may call, at least one. */
  readonly callable: readonly string[];
  /** `required`: at least one call; a name: one call of that tool. */
  readonly choice: 'auto' | 'required' | { readonly name: string };
  /** False: no more than one call. Null where the request leaves it open. */
  readonly parallel: boolean | null;
}

/** A tool as chat templates read it. */
export function toChatTool({ name, description, parameters }: RequestTool): ChatTool {
  const described = description === undefined ? {} : { description };
  return { type: 'function', function: { name, ...described, ...(parameters === undefined ? {} : { parameters }) } };
}
