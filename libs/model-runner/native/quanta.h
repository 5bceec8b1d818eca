// Quanta of 4 bits as a byte each, in vectors of any width. The file that includes this defines before:
//   OPERATION       attributes of functions that use these instructions
//   Ints            a vector
//
// A byte holds two quanta. Where they are spread, a quantum stands for 17 times its value: 8 bits that have the same 4 twice.
#include <stdint.h>

typedef uint8_t Bytes __attribute__((vector_size(sizeof(Ints))));
typedef uint16_t Pairs __attribute__((vector_size(sizeof(Ints))));

// The quanta in the low halves of bytes.
OPERATION Ints low_quanta(int spread, Ints w) {
  Bytes quanta = (Bytes)w & 0x0f;
  if (spread) quanta |= (Bytes)((Pairs)w << 4) & 0xf0;
  return (Ints)quanta;
}

// The quanta in the high halves.
OPERATION Ints high_quanta(int spread, Ints w) {
  Bytes quanta = (Bytes)((Pairs)w >> 4) & 0x0f;
  if (spread) quanta |= (Bytes)w & 0xf0;
  return (Ints)quanta;
}
