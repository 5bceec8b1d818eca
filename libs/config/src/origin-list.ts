import { z } from 'zod';

/** Web origins, separated by commas, as a browser sends them in `Origin`; `*` alone for all. */
export const originList = z.string().transform((text, context): readonly string[] => {
  const origins = text.split(',').map((origin) => origin.trim());
  const wrong = origins.filter((origin) => origin !== '*' && originOf(origin) !== origin);
  if (wrong.length > 0) {
    const shown = wrong.map((origin) => `"${origin}"`).join(', ');
    const remedy =
      'write scheme, host and port as browsers do, such as https://app.example.com, without a path; or * alone';
    context.addIssue({ code: 'custom', message: `${shown} is no origin; ${remedy}` });
  } else if (origins.includes('*') && origins.length > 1) {
    context.addIssue({ code: 'custom', message: '* means every origin; leave the others out, or leave * out' });
  }
  return origins;
});

function originOf(text: string): string | null {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url.origin : null;
}
