/**
 * Number of bytes at the end that begin a UTF-8 character which may still be completed: 0 to 3. Bytes that no
 * continuation can make valid are not counted; a decoder turns them into U+FFFD at once (Unicode 16, table 3-7).
 */
export function unfinishedTailLength(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let tail = 1; tail <= Math.min(3, length); tail++) {
    const lead = bytes[length - tail];
    if ((lead & 0xc0) === 0x80) continue;
    const wanted = characterLength(lead);
    if (wanted <= tail) return 0;
    if (tail >= 2 && !isSecondByteAllowed(lead, bytes[length - tail + 1])) return 0;
    return tail;
  }
  return 0;
}

/** Bytes of the character that `lead` begins; 0 when it begins none. */
function characterLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

/** Excludes overlong forms, surrogates and what lies past U+10FFFF. */
function isSecondByteAllowed(lead: number, second: number): boolean {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second <= 0x9f;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second <= 0x8f;
    default:
      return true;
  }
}
