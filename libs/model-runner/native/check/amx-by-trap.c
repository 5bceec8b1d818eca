// AMX as Intel's manual (volume 2, TILELOADD to TDPBSUD) describes it, where a processor does not have it: its instructions trap, are read and
// carried out here, one by one. So check.sh runs AMX's kernel on any machine with AVX-512.
#ifdef __x86_64__
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

// Each thread has tiles of its own.
static _Thread_local struct {
  uint8_t palette;
  uint16_t row_bytes[8];
  uint8_t rows[8];
  uint8_t tiles[8][16][64];
} amx;

// Numbers of registers as instructions write them.
static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void give_up(int signal) {
  static const char message[] = "amx-by-trap: an instruction that is not known, or not allowed here\n";
  if (write(2, message, sizeof message - 1) < 0) _exit(3);
  (void)signal;
  _exit(2);
}

// Reads the operand in memory behind `modrm`; tiles take its index times its scale as the distance of rows.
static uint8_t* operand(const greg_t* r, const uint8_t* vex, const uint8_t* modrm, int64_t* stride, const uint8_t** end) {
  const int mode = *modrm >> 6, rm = *modrm & 7, high_base = (~vex[1] >> 5 & 1) * 8, high_index = (~vex[1] >> 6 & 1) * 8;
  const uint8_t* at = modrm + 1;
  int64_t base = 0, index = 0;
  int wide = mode == 2;
  if (rm == 4) {
    const uint8_t sib = *at++;
    const int i = (sib >> 3 & 7) + high_index;
    if (i != 4) index = r[registers[i]] * (1 << (sib >> 6));
    if ((sib & 7) == 5 && mode == 0) wide = 1;
    else base = r[registers[(sib & 7) + high_base]];
  } else if (rm == 5 && mode == 0) {
    int32_t displacement;
    memcpy(&displacement, at, 4);
    *end = at + 4;
    *stride = 0;
    return (uint8_t*)*end + displacement;
  } else base = r[registers[rm + high_base]];
  if (wide) {
    int32_t displacement;
    memcpy(&displacement, at, 4);
    at += 4;
    base += displacement;
  } else if (mode == 1) base += (int8_t)*at++;
  *end = at;
  *stride = index;
  return (uint8_t*)base;
}

static void multiply(int sums, int a, int b, int a_signed, int b_signed) {
  const int rows = amx.rows[sums], columns = amx.row_bytes[sums] / 4, fours = amx.row_bytes[a] / 4;
  if (amx.rows[a] != rows || amx.rows[b] != fours || amx.row_bytes[b] != columns * 4 || sums == a || a == b || sums == b) give_up(0);
  for (int m = 0; m < rows; m++)
    for (int k = 0; k < fours; k++)
      for (int n = 0; n < columns; n++) {
        int32_t sum;
        memcpy(&sum, &amx.tiles[sums][m][n * 4], 4);
        for (int i = 0; i < 4; i++) {
          const uint8_t x = amx.tiles[a][m][k * 4 + i], w = amx.tiles[b][k][n * 4 + i];
          sum += (a_signed ? (int8_t)x : x) * (b_signed ? (int8_t)w : w);
        }
        memcpy(&amx.tiles[sums][m][n * 4], &sum, 4);
      }
  for (int m = 0; m < 16; m++) memset(amx.tiles[sums][m] + (m < rows ? columns * 4 : 0), 0, m < rows ? 64 - (size_t)columns * 4 : 64);
}

static void trap(int signal, siginfo_t* info, void* context) {
  (void)info;
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  const uint8_t* vex = (const uint8_t*)r[REG_RIP];
  // Three bytes of VEX, map 0F38, W0, 128 bits.
  if (vex[0] != 0xc4 || (vex[1] & 31) != 2 || (vex[2] & 0x84) != 0) give_up(signal);
  const int prefix = vex[2] & 3, other = ~vex[2] >> 3 & 15, operation = vex[3];
  const uint8_t *modrm = vex + 4, *end = modrm + 1;
  const int reg = *modrm >> 3 & 7, in_memory = *modrm >> 6 != 3;
  int64_t stride;
  enum { NONE, P66, F3, F2 };
  if (operation == 0x49 && in_memory && prefix == NONE && reg == 0) {  // LDTILECFG
    const uint8_t* shapes = operand(r, vex, modrm, &stride, &end);
    memset(&amx, 0, sizeof amx);
    amx.palette = shapes[0];
    if (shapes[0] != 1 || shapes[1] != 0) give_up(signal);
    for (int tile = 0; tile < 8; tile++) {
      memcpy(&amx.row_bytes[tile], shapes + 16 + tile * 2, 2);
      amx.rows[tile] = shapes[48 + tile];
      if (amx.row_bytes[tile] > 64 || amx.rows[tile] > 16) give_up(signal);
    }
  } else if (operation == 0x49 && *modrm == 0xc0 && prefix == NONE) {  // TILERELEASE
    memset(&amx, 0, sizeof amx);
  } else if (amx.palette == 0) {
    give_up(signal);
  } else if (operation == 0x49 && !in_memory && prefix == F2) {  // TILEZERO
    memset(amx.tiles[reg], 0, sizeof amx.tiles[reg]);
  } else if (operation == 0x4b && in_memory && (prefix == F2 || prefix == F3)) {  // TILELOADD, TILESTORED
    uint8_t* at = operand(r, vex, modrm, &stride, &end);
    if (prefix == F2) memset(amx.tiles[reg], 0, sizeof amx.tiles[reg]);
    for (int row = 0; row < amx.rows[reg]; row++) {
      if (prefix == F2) memcpy(amx.tiles[reg][row], at + row * stride, amx.row_bytes[reg]);
      else memcpy(at + row * stride, amx.tiles[reg][row], amx.row_bytes[reg]);
    }
  } else if (operation == 0x5e && !in_memory) {  // TDPB(signs of a and b)D: 66 us, F3 su, F2 ss
    multiply(reg, *modrm & 7, other, prefix == F3 || prefix == F2, prefix == P66 || prefix == F2);
  } else {
    give_up(signal);
  }
  r[REG_RIP] = (greg_t)end;
}

__attribute__((constructor(101))) static void install(void) {
  const struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &action, NULL);
}
#else
typedef int None;
#endif
