import type { z } from 'zod';
import { MillraceError } from '#contracts';
import { describeProblem } from '../../body/describe-problem.ts';
import type { DeliveryWishes, ParsedBody } from '../dialect.ts';
import type { ChatBody } from './chat-fields.ts';
import { type ChatDefaults, generateRequestOf } from './generate-request-of.ts';

/**
 * Reads a body by a dialect's own schema.
 * @throws MillraceError invalid_request or unsupported_parameter; BodyStructureError where the value alone is not at fault
 */
export function parseChatBody(schema: z.ZodType<ChatBody>, defaults: ChatDefaults, body: unknown): ParsedBody {
  const result = schema.safeParse(body);
  if (!result.success) throw describeProblem(schema, result.error, body);
  return { request: generateRequestOf(result.data, defaults), delivery: deliveryOf(result.data) };
}

function deliveryOf({ stream, stream_options: options }: ChatBody): DeliveryWishes {
  if (options && !stream) {
    throw new MillraceError(
      'invalid_request',
      'stream_options is only allowed with stream: true. Remove it, or set stream to true.',
      { param: 'stream_options' },
    );
  }
  const includeUsage = options?.include_usage ?? false;
  const continuousUsage = options?.continuous_usage_stats ?? false;
  if (continuousUsage && !includeUsage) {
    throw new MillraceError(
      'invalid_request',
      'stream_options.continuous_usage_stats is true, but include_usage is not. Set include_usage to true as well.',
      { param: 'stream_options.continuous_usage_stats' },
    );
  }
  return { stream: stream ?? false, includeUsage, continuousUsage };
}
