/** One line of CSV (RFC 4180), without its end. */
export function csvLine(values: readonly unknown[]): string {
  return values.map((value) => (typeof value === 'number' ? String(value) : csvField(textOf(value)))).join(',');
}

function textOf(value: unknown): string {
  return value === null ? '' : String(value);
}

/** A spreadsheet would run a field that begins with one of =+-@ as a formula, so those are quoted as text. */
function csvField(text: string): string {
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
