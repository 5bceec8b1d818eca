import type { Dialect } from '../dialect.ts';
import { errorBody } from './error-body.ts';
import { mapCompletion } from './map-completion.ts';
import { OpenaiChunkMapper } from './openai-chunk-mapper.ts';
import { parseBody } from './parse-body.ts';

/** OpenAI's chat completions, as at `POST /v1/chat/completions`. */
export const OPENAI_CHAT: Dialect = {
  name: 'openai-chat',
  parse: parseBody,
  chunks: (heading, parsed) => new OpenaiChunkMapper(heading, parsed.delivery.includeUsage),
  completion: mapCompletion,
  errorBody,
};
