import { MillraceError } from '#contracts';

/**
 * `x-millrace-resume`: how another worker catches up with what was delivered. `exact` computes it anew token by token, and
 * the rest is bit for bit what it would have been; `fast` computes it like a prompt. Null when the client does not say.
 * @throws MillraceError invalid_request
 */
export function resumeModeOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): 'exact' | 'fast' | null {
  const mode = headers['x-millrace-resume'];
  if (mode === undefined) return null;
  if (mode === 'exact' || mode === 'fast') return mode;
  throw new MillraceError(
    'invalid_request',
    `The header x-millrace-resume is ${JSON.stringify(mode).slice(0, 100)}; it must be exact or fast.`,
    { param: 'x-millrace-resume' },
  );
}
