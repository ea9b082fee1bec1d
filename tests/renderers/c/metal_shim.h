// As much of metal_stdlib as the renderer uses, for a C++ compiler: kernels are checked for types, and run on the processor.
// Address spaces mean nothing here, so mistakes in them pass. Work items of a group are threads, groups run one after the other.
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>
#define device
#define threadgroup
#define constant const
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
struct uint3 { uint x, y, z; };
typedef _Float16 half;
enum memory_order_of_metal { memory_order_relaxed };
struct mem_flags { enum { mem_device = 1, mem_threadgroup = 2 }; };
typedef std::atomic<int> atomic_int;
typedef std::atomic<uint> atomic_uint;
namespace metal {
template <class To, class From> To as_type(From x) {
  static_assert(sizeof(To) == sizeof(From), "as_type keeps the size");
  To r;
  memcpy(&r, &x, sizeof r);
  return r;
}
using std::ceil, std::fabs, std::floor, std::fma, std::rint, std::trunc;
namespace precise { using std::sqrt; }
}
inline thread_local std::barrier<> *group_of_this = nullptr;
inline void threadgroup_barrier(int) { group_of_this->arrive_and_wait(); }
template <class A, class T> T atomic_fetch_add_explicit(A *p, T v, int) { return p->fetch_add(v); }
template <class A, class T> T atomic_fetch_and_explicit(A *p, T v, int) { return p->fetch_and(v); }
template <class A, class T> T atomic_fetch_or_explicit(A *p, T v, int) { return p->fetch_or(v); }
template <class A, class T> T atomic_fetch_xor_explicit(A *p, T v, int) { return p->fetch_xor(v); }
template <class A, class T> T atomic_exchange_explicit(A *p, T v, int) { return p->exchange(v); }
template <class A> auto atomic_load_explicit(A *p, int) { return p->load(); }
template <class A, class T> bool atomic_compare_exchange_weak_explicit(A *p, T *old, T v, int, int) {
  return p->compare_exchange_weak(*old, v);
}
template <class A, class T> T atomic_fetch_min_explicit(A *p, T v, int) {
  T old = p->load();
  while (v < old && !p->compare_exchange_weak(old, v)) {}
  return old;
}
template <class A, class T> T atomic_fetch_max_explicit(A *p, T v, int) {
  T old = p->load();
  while (v > old && !p->compare_exchange_weak(old, v)) {}
  return old;
}
// run(group, item, place) for every work item of a grid of groups along x.
template <class Run> void launch(uint groups, uint3 block, Run run) {
  const uint items = block.x * block.y * block.z;
  for (uint g = 0; g < groups; ++g) {
    std::barrier<> wait(items);
    std::vector<std::thread> threads;
    for (uint k = 0; k < items; ++k)
      threads.emplace_back([&, k] {
        group_of_this = &wait;
        const uint3 item = {k % block.x, k / block.x % block.y, k / block.x / block.y};
        run(uint3{g, 0, 0}, item, uint3{g * block.x + item.x, item.y, item.z});
        wait.arrive_and_drop();
      });
    for (auto &t : threads) t.join();
  }
}
