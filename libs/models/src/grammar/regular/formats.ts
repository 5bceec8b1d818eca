/**
 * The formats that are enforced, each as a pattern that every text of a strict validator's format matches or that is
 * narrower than the format: times have no leap second, hosts are short and ASCII, an address has no quotes and no comments.
 */
const LEAP_YEAR = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)';
const DATE = `(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|${LEAP_YEAR}-02-29)`;
const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)';
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = `${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}`;
/** Eight groups, or fewer around one "::"; the last two may be written as IPv4's. */
const GROUP = '[0-9A-Fa-f]{1,4}';
const IPV6 = [
  `(?:${GROUP}:){7}${GROUP}`,
  ...Array.from({ length: 6 }, (_, before) => `(?:${GROUP}:){${before + 1}}(?::${GROUP}){1,${6 - before}}`),
  `(?:${GROUP}:){1,7}:`,
  `:(?:(?::${GROUP}){1,7}|:)`,
  `(?:(?:${GROUP}:){6}|::(?:[Ff]{4}:)?)${IPV4}`,
].join('|');
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
/** At most 62 characters and single hyphens: never the "--" of encoded names. */
const SHORT_LABEL = '[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,2}';
/** Shorter, so that a pattern that counts the same characters still fits beside it. */
const MAIL_LABEL = '[A-Za-z0-9]{1,10}(?:-[A-Za-z0-9]{1,10}){0,3}';
const DURATION_DATE = '(?:\\d{1,6}Y(?:\\d{1,6}M(?:\\d{1,6}D)?)?|\\d{1,6}M(?:\\d{1,6}D)?|\\d{1,6}D)';
const DURATION_TIME = 'T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S)';
const POINTER = '(?:/(?:[^~/]|~[01])*)*';
const LOCAL_PART = "[A-Za-z0-9_+~%'-]{1,30}(?:\\.[A-Za-z0-9_+~%'-]{1,16}){0,2}";
const EMAIL = `${LOCAL_PART}@(?:${MAIL_LABEL}\\.){1,3}[A-Za-z]{2,10}`;
const HOSTNAME = `${SHORT_LABEL}(?:\\.${SHORT_LABEL}){0,3}`;
const PORT = '(?::(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}))?';
const BASE64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?';

/** RFC 3986's URIs with a host, and those of mail and names; RFC 3987's IRIs have further letters behind the host. */
function uriPatterns(furtherLetters: string): { readonly uri: string; readonly reference: string } {
  const character = (more: string): string =>
    `(?:[A-Za-z0-9._~:@!$&'()*+,;=${furtherLetters}${more}-]|%[0-9A-Fa-f]{2})`;
  const rest = `(?:/${character('')}*)*(?:\\?${character('/?')}*)?(?:#${character('/?')}*)?`;
  const withHost = `[a-z][a-z0-9+.-]*://${LABEL}(?:\\.${LABEL})*${PORT}${rest}`;
  const uri = `(?:${withHost}|mailto:${EMAIL}|urn:[a-z0-9]{2,20}:${character('')}+)`;
  // A first segment with a colon would be a scheme.
  const segment = `(?:[A-Za-z0-9._~@!$&'()*+,;=${furtherLetters}-]|%[0-9A-Fa-f]{2})*`;
  return { uri: `^${uri}$`, reference: `^(?:${uri}|${segment}${rest})$` };
}

const URI = uriPatterns('');
const IRI = uriPatterns('\\u00A1-\\uD7FF');
const HEX = '[0-9a-fA-F]';

/** A UUID of any version, or of one. */
const uuid = (version = HEX): string =>
  `^${HEX}{8}-${HEX}{4}-${version}${HEX}{3}-${version === HEX ? version : '[89abAB]'}${HEX}{3}-${HEX}{12}$`;

export const FORMATS: Readonly<Record<string, string>> = {
  date: `^${DATE}$`,
  time: `^${TIME}$`,
  'date-time': `^${DATE}T${TIME}$`,
  duration: `^P(?:\\d{1,6}W|${DURATION_DATE}(?:${DURATION_TIME})?|${DURATION_TIME})$`,
  email: `^${EMAIL}$`,
  'idn-email': `^${EMAIL}$`,
  hostname: `^${HOSTNAME}$`,
  'idn-hostname': `^${HOSTNAME}$`,
  uuid: uuid(),
  ...Object.fromEntries(['1', '3', '4', '5', '6', '7', '8'].map((version) => [`uuid${version}`, uuid(version)])),
  ipv4: `^${IPV4}$`,
  ipv6: `^(?:${IPV6})$`,
  uri: URI.uri,
  iri: IRI.uri,
  'uri-reference': URI.reference,
  'iri-reference': IRI.reference,
  'uri-template': `^(?:[a-z][a-z0-9+.-]*://${LABEL}(?:\\.${LABEL})*${PORT})?(?:/[A-Za-z0-9._-]*(?:\\{[A-Za-z0-9_]+\\})?)*$`,
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
