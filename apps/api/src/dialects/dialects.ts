import type { Dialect } from './dialect.ts';
import { OPENAI_CHAT } from './openai-chat/openai-chat-dialect.ts';

/** Every dialect that is served: a new one is a folder and a line here. */
export const DIALECTS: readonly Dialect[] = [OPENAI_CHAT];

const BY_PATH = new Map<string, Dialect>(DIALECTS.map((dialect) => [dialect.path, dialect]));

/** The dialect that is served at a path; null for every other path. */
export function dialectAt(path: string): Dialect | null {
  return BY_PATH.get(path) ?? null;
}
