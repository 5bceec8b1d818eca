import { z } from 'zod';
import { cpuList } from './cpu-list.ts';

export const SAMPLING_DEFAULTS = ['model', 'none'] as const;

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max).optional();

/** What may stand behind a model of MILLRACE_MODEL (`?slots=8&kvMb=512`), instead of the worker's own setting. */
const modelOptions = z.strictObject({
  /** MILLRACE_SLOTS */
  slots: whole(1, 1024),
  /** MILLRACE_SLOT_TOKENS */
  slotTokens: whole(1, 1_048_576),
  /** MILLRACE_PARKING_SLOTS */
  parkingSlots: whole(0, 1024),
  /** MILLRACE_KV_MB */
  kvMb: whole(0, 16_777_216),
  /** MILLRACE_PREFIX_CACHE_MB */
  prefixCacheMb: whole(0, 1_048_576),
  /** MILLRACE_THREADS */
  threads: whole(1, 1024),
  /** MILLRACE_CPUS, with `+` between its parts */
  cpus: z
    .string()
    .transform((text) => text.replace(/[+ ]/g, ','))
    .pipe(cpuList)
    .optional(),
  /** MILLRACE_OUTPUT_FORMAT */
  outputFormat: z.string().min(1).optional(),
  /** MILLRACE_SAMPLING_DEFAULTS */
  samplingDefaults: z.enum(SAMPLING_DEFAULTS).optional(),
});
export type ModelOverrides = z.infer<typeof modelOptions>;

/** One model that a worker is to serve. */
export interface ModelEntry {
  /** Folder, name of a folder, or one of its ONNX files. */
  readonly folder: string;
  /** Name under which clients ask for it; null for the folder's. */
  readonly id: string | null;
  readonly overrides: ModelOverrides;
}

/** `[name=]folder[?option=value&…]`. In a folder's path `,` `=` `?` and `%` stand as %2C %3D %3F %25. */
export const modelEntry = z.string().transform((text, context): ModelEntry => {
  const [place = '', query = ''] = split(text.trim(), '?');
  const [before, behind] = split(place, '=');
  const [id, folder] = behind === undefined ? [null, before ?? ''] : [before ?? '', behind];
  const fail = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (folder === '' || id === '') return fail(`"${text}" names no model; write folder, or name=folder`);
  const given = Object.fromEntries(new URLSearchParams(query));
  const overrides = modelOptions.safeParse(given);
  if (overrides.success) return { folder: unescaped(folder), id, overrides: overrides.data };
  const known = Object.keys(modelOptions.shape).join(', ');
  const problems = overrides.error.issues.map(({ path, message }) => [...path, message].join(': '));
  return fail(`the options of "${folder}" are wrong (${problems.join('; ')}); there are ${known}`);
});

/** Models separated by commas, each once. */
export const modelEntries = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(modelEntry).min(1))
  .refine((entries) => {
    const ids = entries.flatMap(({ id }) => id ?? []);
    return new Set(ids).size === ids.length;
  }, 'gives two models the same name');

/** The entry as a text that `modelEntry` reads. */
export function formatModelEntry({ folder, id, overrides }: ModelEntry): string {
  const options = Object.entries(overrides).map(([name, value]) => {
    return `${name}=${Array.isArray(value) ? value.join('+') : encodeURIComponent(value)}`;
  });
  const query = options.length === 0 ? '' : `?${options.join('&')}`;
  return `${id === null ? '' : `${id}=`}${escaped(folder)}${query}`;
}

function escaped(folder: string): string {
  return folder.replace(/[,=?%]/g, (character) => encodeURIComponent(character));
}

/** A percent sign that begins none of the four stays one. */
function unescaped(folder: string): string {
  return folder.replace(/%(2C|3D|3F|25)/gi, (code) => decodeURIComponent(code));
}

/** At the first separator; the second part is undefined without one. */
function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
