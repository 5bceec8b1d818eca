const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_MS = 86_400_000;

/** Python's strftime in the C locale, always in UTC so that every replica renders the same prompt. */
export function strftime(date: Date, format: string): string {
  const yearStart = Date.UTC(date.getUTCFullYear(), 0, 1);
  const hour12 = date.getUTCHours() % 12 || 12;
  const fields: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    y: twoDigits(date.getUTCFullYear() % 100),
    m: twoDigits(date.getUTCMonth() + 1),
    d: twoDigits(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2, ' '),
    H: twoDigits(date.getUTCHours()),
    I: twoDigits(hour12),
    M: twoDigits(date.getUTCMinutes()),
    S: twoDigits(date.getUTCSeconds()),
    p: date.getUTCHours() < 12 ? 'AM' : 'PM',
    A: DAYS[date.getUTCDay()] ?? '',
    a: DAYS[date.getUTCDay()]?.slice(0, 3) ?? '',
    w: String(date.getUTCDay()),
    B: MONTHS[date.getUTCMonth()] ?? '',
    b: MONTHS[date.getUTCMonth()]?.slice(0, 3) ?? '',
    j: String(Math.floor((date.getTime() - yearStart) / DAY_MS) + 1).padStart(3, '0'),
    F: date.toISOString().slice(0, 10),
    T: date.toISOString().slice(11, 19),
    Z: 'UTC',
    z: '+0000',
    '%': '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (directive, dash: string, letter: string) => {
    const field = fields[letter];
    return field === undefined ? directive : dash ? field.replace(/^[0 ]+(?=\d)/, '') : field;
  });
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
