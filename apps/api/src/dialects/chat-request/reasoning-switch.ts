import { z } from 'zod';
import { MillraceError } from '#contracts';
import type { ReasoningSwitch } from '../../generate/valid-generate-request.ts';

const DESCRIPTION =
  'Extension. Turns reasoning on or off, where the model’s template has a boolean for that; refused where it has none.';
const type = z.enum(['enabled', 'disabled']);

/** Whether the model reasons, as clients of SGLang and Qwen, of Ollama, and of DeepSeek, GLM and Anthropic say it. */
export const REASONING_SWITCH_FIELDS = {
  enable_thinking: z.boolean().nullish().describe(DESCRIPTION),
  think: z.boolean().nullish().describe(DESCRIPTION),
  thinking: z
    .union([z.boolean(), z.strictObject({ type })])
    .nullish()
    .describe(DESCRIPTION),
};

interface ReasoningSwitchBody {
  readonly enable_thinking?: boolean | null;
  readonly think?: boolean | null;
  readonly thinking?: boolean | { readonly type: z.infer<typeof type> } | null;
}

/** Null where no field says. @throws MillraceError invalid_request where two fields contradict each other */
export function reasoningSwitchOf({ enable_thinking, think, thinking }: ReasoningSwitchBody): ReasoningSwitch | null {
  const given: ReasoningSwitch[] = [];
  if (typeof enable_thinking === 'boolean') given.push({ field: 'enable_thinking', on: enable_thinking });
  if (typeof think === 'boolean') given.push({ field: 'think', on: think });
  if (typeof thinking === 'boolean') given.push({ field: 'thinking', on: thinking });
  else if (thinking) given.push({ field: 'thinking', on: thinking.type === 'enabled' });
  const [first, ...others] = given;
  if (first === undefined) return null;
  const other = others.find(({ on }) => on !== first.on);
  if (other === undefined) return first;
  throw new MillraceError(
    'invalid_request',
    `${first.field} turns reasoning ${first.on ? 'on' : 'off'}, and ${other.field} ${other.on ? 'on' : 'off'}. Send one of them.`,
    { param: other.field },
  );
}
