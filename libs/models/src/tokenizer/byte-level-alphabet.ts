/**
 * GPT-2's reversible map of bytes to printable characters: printable Latin-1 bytes stand for themselves, the other 68
 * take the code points from 256 upwards (Radford et al. 2019, `bytes_to_unicode`).
 */
export const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return map;
})();
