import { philox4x32 } from './philox.ts';

const block = new Uint32Array(4);

/**
 * The noise behind one drawn token: uniform in [0, 1) with 53 bits, a pure function of its arguments.
 *
 * @param seed any safe integer; all its bits count
 * @param choice which of the request's sequences
 * @param position index of the token within the choice, from 0
 * @param draw which number of that token's noise
 */
export function uniformNoise(seed: number, choice: number, position: number, draw = 0): number {
  block[0] = position;
  block[1] = choice;
  block[2] = draw;
  block[3] = 0;
  // ToUint32 takes the number modulo 2^32, for negative seeds too.
  philox4x32(block, seed >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0);
  const [high = 0, low = 0] = block;
  return ((high >>> 5) * 0x400_0000 + (low >>> 6)) / 0x20_0000_0000_0000;
}
