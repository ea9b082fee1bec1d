// handed_round(out: f32*, a: f32*)
// 40 x 1 x 1 of groups of 32 x 1 x 1 work items, in 2 phases, each behind the one before; 6400 bytes of scratch
extern "C" __global__ __launch_bounds__(32) void handed_round(float *__restrict__ out, const float *__restrict__ a, unsigned char *scratch) {
  float *twice = (float *)scratch;
  unsigned char *odd = (unsigned char *)(scratch + 5120);
  int v1 = (int)blockIdx.x * 32 + (int)threadIdx.x;
  twice[v1] = a[v1] * (float)2LL;
  odd[v1] = (unsigned char)(v1 & 1);
}
extern "C" __global__ __launch_bounds__(32) void handed_round_phase2(float *__restrict__ out, const float *__restrict__ a, unsigned char *scratch) {
  float *twice = (float *)scratch;
  unsigned char *odd = (unsigned char *)(scratch + 5120);
  int v1 = (int)blockIdx.x * 32 + (int)threadIdx.x;
  out[v1] = twice[1279 - v1] + (float)odd[v1];
}
