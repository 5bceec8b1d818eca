/**
 * The formats that are enforced, each as a pattern that every text of a strict validator's format matches or that is
 * narrower than the format: February has 28 days, times have no leap second, hosts are short and ASCII.
 */
const DATE =
  '\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))';
const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)';
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
/** Words of at most 10 characters and single hyphens between them: shorter than 63, and never the "--" of encoded names. */
const SHORT_LABEL = '[A-Za-z0-9]{1,10}(?:-[A-Za-z0-9]{1,10}){0,3}';
const DURATION_TIME = 'T(?:\\d{1,6}H(?:\\d{1,6}M)?(?:\\d{1,6}S)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S)';
const URI_CHARACTER = "[A-Za-z0-9._~:@!$&'()*+,;=-]";
const URI_PATH = `(?:/${URI_CHARACTER}*)*`;
const URI = `[a-z][a-z0-9+.-]*://${LABEL}(?:\\.${LABEL})*${URI_PATH}`;
const POINTER = '(?:/(?:[^~/]|~[01])*)*';
const EMAIL = `[A-Za-z0-9_+-]{1,30}(?:\\.[A-Za-z0-9_+-]{1,30})?@(?:${SHORT_LABEL}\\.){1,3}[A-Za-z]{2,10}`;
const HOSTNAME = `${SHORT_LABEL}(?:\\.${SHORT_LABEL}){0,3}`;
const BASE64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?';

/** A UUID of any version, or of one. */
const uuid = (version = '[0-9a-f]'): string =>
  `^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-${version === '[0-9a-f]' ? version : '[89ab]'}[0-9a-f]{3}-[0-9a-f]{12}$`;

export const FORMATS: Readonly<Record<string, string>> = {
  date: `^${DATE}$`,
  time: `^${TIME}$`,
  'date-time': `^${DATE}T${TIME}$`,
  duration: `^P(?:\\d{1,6}W|\\d{1,6}D(?:${DURATION_TIME})?|${DURATION_TIME})$`,
  email: `^${EMAIL}$`,
  'idn-email': `^${EMAIL}$`,
  hostname: `^${HOSTNAME}$`,
  'idn-hostname': `^${HOSTNAME}$`,
  uuid: uuid(),
  ...Object.fromEntries(['1', '3', '4', '5', '6', '7', '8'].map((version) => [`uuid${version}`, uuid(version)])),
  ipv4: `^${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}$`,
  ipv6: '^(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$',
  uri: `^${URI}$`,
  iri: `^${URI}$`,
  'uri-reference': `^(?:${URI}|${URI_PATH})$`,
  'iri-reference': `^(?:${URI}|${URI_PATH})$`,
  'uri-template': `^(?:${URI})?(?:/[A-Za-z0-9._-]*(?:\\{[A-Za-z0-9_]+\\})?)*$`,
  'json-pointer': `^${POINTER}$`,
  'relative-json-pointer': `^(?:0|[1-9]\\d{0,8})(?:#|${POINTER})$`,
  base64: `^${BASE64}$`,
  byte: `^${BASE64}$`,
  // What OpenAPI's registry takes any text for.
  binary: '',
  password: '',
  path: '',
};

/** The other formats of texts that JSON Schema defines. */
export const UNENFORCED_FORMATS: ReadonlySet<string> = new Set(['regex']);
