import { API_CHAT } from './api-chat/api-chat-dialect.ts';
import { COMPLETION_MESSAGES } from './completion-messages/completion-messages-dialect.ts';
import type { Dialect } from './dialect.ts';
import { MODEL_API_CHAT } from './model-api-chat/model-api-chat-dialect.ts';
import { OPENAI_CHAT } from './openai-chat/openai-chat-dialect.ts';

/** Every dialect that is served: a new one is a folder and a line here. */
export const DIALECTS: readonly Dialect[] = [OPENAI_CHAT, API_CHAT, MODEL_API_CHAT, COMPLETION_MESSAGES];

const BY_PATH = new Map<string, Dialect>(DIALECTS.map((dialect) => [dialect.path, dialect]));

/** The dialect that is served at a path; null for every other path. */
export function dialectAt(path: string): Dialect | null {
  return BY_PATH.get(path) ?? null;
}
