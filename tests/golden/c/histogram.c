// kernel 'histogram': i32* bins (in/out), i32* at (in)
// launch: 1 share(s) of work, 1 phase(s): every core has finished one before any starts the next
// ABI: void entry(args, core, phase, shared, scratch); args: 8 bytes for each argument, in this order

#define INLINE static inline __attribute__((always_inline))

static void histogram(int *restrict bins, const int *restrict at, long long core, char *shared, char *scratch) {
  for (long long i0 = 0; i0 < 64; ++i0) {
    __atomic_fetch_add(bins + (long long)at[i0], 1, __ATOMIC_SEQ_CST);
  }
}

void entry(const long long *args, long long core, long long phase, char *shared, char *scratch) {
  histogram((int *)args[0], (int *)args[1], core, shared, scratch);
}

void reach(const long long *args, long long *out) {
  out[0] = 0LL;
  out[1] = 64LL;
  out[2] = 0LL;
}
