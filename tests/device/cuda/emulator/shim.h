// CUDA C for g++: what a kernel's source needs to be host code for the EMULATOR. Included before the source; EMULATED(function, name) comes behind.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <initializer_list>
#include <type_traits>
#include <utility>

struct emulated_kernel { void (*call)(void **); int count; const size_t *sizes; char *shared_start, *shared_end; };
extern "C" {
extern unsigned emulated_thread[3], emulated_block[3], emulated_block_size[3], emulated_grid_size[3];
extern char *emulated_dynamic;
extern uint64_t emulated_slots[1024 * 2];
extern unsigned emulated_words[1024][6];
void emulated_barrier(void);
void emulated_warp_barrier(void);
int emulated_item(void);
extern char __start_svod_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_svod_shared[] __attribute__((weak, visibility("hidden")));
}
struct emulated_size { unsigned x, y, z; };
#define threadIdx (*(emulated_size *)emulated_thread)
#define blockIdx (*(emulated_size *)emulated_block)
#define blockDim (*(emulated_size *)emulated_block_size)
#define gridDim (*(emulated_size *)emulated_grid_size)
#define warpSize 32
#define __CUDA_ARCH__ 900
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("svod_shared")))
#define __syncthreads emulated_barrier
#define __threadfence() ((void)0)
#define __threadfence_block() ((void)0)
#define __trap() __builtin_trap()

template <class To, class From> static inline To emulated_bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}
static inline int __float_as_int(float x) { return emulated_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return emulated_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return emulated_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }

// Conversions of a GPU end at the limits of the type, and make 0 of NaN (of 64 bits: what the machine makes of it).
template <class To, class From> static inline To emulated_whole(From x) {
  const To low = std::is_signed<To>::value ? (To)1 << (8 * sizeof(To) - 1) : 0, high = (To)~low;
  if (x != x) return sizeof(To) == 8 ? (To)1 << 63 : 0;
  const double edge = ldexp(1.0, (int)(8 * sizeof(To)) - (std::is_signed<To>::value ? 1 : 0));
  if ((double)x >= edge) return high;
  if ((double)x <= (std::is_signed<To>::value ? -edge : 0.0)) return low;
  return (To)x;
}
#define EMULATED_WHOLE(from, F)                                                                        \
  static inline int __##from##2int_rz(F x) { return emulated_whole<int>(x); }                           \
  static inline unsigned __##from##2uint_rz(F x) { return emulated_whole<unsigned>(x); }                \
  static inline long long __##from##2ll_rz(F x) { return emulated_whole<long long>(x); }                \
  static inline unsigned long long __##from##2ull_rz(F x) { return emulated_whole<unsigned long long>(x); }
EMULATED_WHOLE(float, float)
EMULATED_WHOLE(double, double)

// binary16, rounded to nearest even.
extern "C" inline float __nv_half2float(unsigned short h) {
  unsigned sign = (unsigned)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000 | fraction << 13);
  if (exponent) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
  float value = (float)fraction * 0x1p-24f;
  return sign ? -value : value;
}
extern "C" inline unsigned short __nv_float2half_rn(float x) {
  unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return (unsigned short)(sign | 0x7fff);
  if (rest >= 0x477ff000) return (unsigned short)(sign | 0x7c00);
  if (rest < 0x38800000) return (unsigned short)(sign | (unsigned)rintf(__uint_as_float(rest) * 0x1p24f));
  return (unsigned short)(sign | ((rest + 0xfff + (rest >> 13 & 1)) - 0x38000000) >> 13);
}

#define EMULATED_ATOMIC(name, combined)                                              \
  template <class T, class U> static inline T atomic##name(T *p, U given) {          \
    T old = *p, value = (T)given;                                                    \
    *p = combined;                                                                   \
    return old;                                                                      \
  }
EMULATED_ATOMIC(Add, old + value)
EMULATED_ATOMIC(Sub, old - value)
EMULATED_ATOMIC(Min, value < old ? value : old)
EMULATED_ATOMIC(Max, value > old ? value : old)
EMULATED_ATOMIC(And, old & value)
EMULATED_ATOMIC(Or, old | value)
EMULATED_ATOMIC(Xor, old ^ value)
EMULATED_ATOMIC(Exch, value)
template <class T, class U, class V> static inline T atomicCAS(T *p, U expected, V value) {
  T old = *p;
  if (old == (T)expected) *p = (T)value;
  return old;
}

// Exchanges within a warp: everybody puts a value down, all meet, everybody reads, all meet again.
static inline void __syncwarp(unsigned = 0xffffffff) { emulated_warp_barrier(); }
template <class T> static inline T emulated_exchange(T value, int source) {
  int me = emulated_item();
  memcpy(&emulated_slots[2 * me], &value, sizeof value);
  emulated_warp_barrier();
  T found;
  memcpy(&found, &emulated_slots[2 * (me / 32 * 32 + source)], sizeof found);
  emulated_warp_barrier();
  return found;
}
template <class T> static inline T __shfl_sync(unsigned, T v, int lane, int width = 32) {
  int me = emulated_item() % 32;
  return emulated_exchange(v, me / width * width + (lane & (width - 1)));
}
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int mask, int width = 32) {
  int me = emulated_item() % 32, at = me ^ mask;
  return emulated_exchange(v, at / width == me / width ? at : me);
}
template <class T> static inline T __shfl_up_sync(unsigned, T v, unsigned by, int width = 32) {
  int me = emulated_item() % 32;
  return emulated_exchange(v, me % width >= (int)by ? me - (int)by : me);
}
template <class T> static inline T __shfl_down_sync(unsigned, T v, unsigned by, int width = 32) {
  int me = emulated_item() % 32;
  return emulated_exchange(v, me % width + (int)by < width ? me + (int)by : me);
}
static inline unsigned __ballot_sync(unsigned, int predicate) {
  int me = emulated_item();
  emulated_slots[2 * me] = predicate != 0;
  emulated_warp_barrier();
  unsigned found = 0, items = blockDim.x * blockDim.y * blockDim.z;
  for (unsigned i = 0; i < 32; i++)
    if (me / 32 * 32 + i < items) found |= (unsigned)emulated_slots[2 * (me / 32 * 32 + i)] << i;
  emulated_warp_barrier();
  return found;
}
static inline int __any_sync(unsigned m, int p) { return __ballot_sync(m, p) != 0; }
static inline int __all_sync(unsigned m, int p) { return __ballot_sync(m, !p) == 0; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }

static inline float emulated_extreme(float a, float b, int sign) {
  if (a != a || b != b) return __uint_as_float(0x7fffffff);
  if (a == b) return (signbit(a) != 0) == (sign < 0) ? a : b;
  return (a < b) == (sign < 0) ? a : b;
}

// mma.sync: who holds which element is what "PTX ISA", mma, says of m16n8k8 and m16n8k16 of 16 bits, m16n8k32 of 8 and m16n8k8 of tf32.
struct emulated_f16 { static float of(unsigned x) { return __nv_half2float((unsigned short)x); } static const int per = 2; };
struct emulated_tf32 {  // the bits that the unit does not look at are zero, as svod rounds: anything else is seen in the result
  static float of(unsigned x) { return x & 0x1fff ? NAN : __uint_as_float(x); }
  static const int per = 1;
};
struct emulated_bf16 { static float of(unsigned x) { return __uint_as_float(x << 16); } static const int per = 2; };
struct emulated_s8 { static int of(unsigned x) { return (signed char)x; } static const int per = 4; };
struct emulated_u8 { static int of(unsigned x) { return (int)x; } static const int per = 4; };
struct emulated_e5m2 { static float of(unsigned x) { return __nv_half2float((unsigned short)(x << 8)); } static const int per = 4; };
struct emulated_e4m3 {
  static float of(unsigned x) {
    int exponent = x >> 3 & 15, fraction = x & 7;
    float size = (x & 127) == 127 ? NAN : exponent ? ldexpf(1.0f + fraction / 8.0f, exponent - 7) : ldexpf(fraction / 8.0f, -6);
    return x & 128 ? -size : size;
  }
  static const int per = 4;
};
template <class Left, class Right, int K, class C> static inline void emulated_mma(C *c, std::initializer_list<unsigned> a, std::initializer_list<unsigned> b) {
  const int per = Left::per, half = 4 * per, me = emulated_item() % 32, warp = emulated_item() - me, left = (int)a.size();
  int n = 0;
  for (unsigned word : a) emulated_words[warp + me][n++] = word;
  for (unsigned word : b) emulated_words[warp + me][n++] = word;
  emulated_warp_barrier();
  auto part = [](unsigned word, int i) { return word >> (32 / per * i) & (per == 1 ? ~0u : per == 2 ? 0xffffu : 0xffu); };
  for (int i = 0; i < 4; i++) {
    int row = me / 4 + (i >= 2 ? 8 : 0), column = me % 4 * 2 + (i & 1);
    double sum = (double)c[i];
    for (int k = 0; k < K; k++) {
      unsigned x = emulated_words[warp + row % 8 * 4 + k % half / per][(row >= 8) + (k >= half ? 2 : 0)];
      unsigned y = emulated_words[warp + column * 4 + k % half / per][left + (k >= half)];
      sum += (double)Left::of(part(x, k % per)) * (double)Right::of(part(y, k % per));
    }
    c[i] = (C)sum;
  }
  emulated_warp_barrier();
}

template <class... A, size_t... I> static inline void emulated_call(void (*f)(A...), void **args, std::index_sequence<I...>) {
  f(*(A *)args[I]...);
}
template <class... A> static inline void emulated_call(void (*f)(A...), void **args) { emulated_call(f, args, std::index_sequence_for<A...>()); }
template <class... A> struct emulated_sizes { static constexpr size_t of[sizeof...(A) + 1] = {sizeof(A)..., 0}; };
template <class... A> constexpr const size_t *emulated_sizes_of(void (*)(A...)) { return emulated_sizes<A...>::of; }
template <class... A> constexpr int emulated_count_of(void (*)(A...)) { return sizeof...(A); }
#define EMULATED(function, name)                                              \
  static void name##__call(void **args) { emulated_call(function, args); }    \
  extern "C" const emulated_kernel name##__emulated;                          \
  extern "C" const emulated_kernel name##__emulated = {name##__call, emulated_count_of(function), emulated_sizes_of(function), \
                                                       __start_svod_shared, __stop_svod_shared};
