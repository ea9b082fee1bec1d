// An EMULATOR of NVIDIA's driver, on the host: what tests of svod's side of the driver run against where there is no GPU.
// It says nothing about a GPU: not that code runs on one, nor how fast.
//
// Owns: the entry points of libcuda.so.1 that svod, cuda-bindings and pycuda call. Work in streams is put off for as long as the rules of
// streams allow, device memory cannot be touched by the host between calls, a kernel that leaves its memory is an illegal address, and a
// forked child has no driver: what a program forgot shows. Kernels are host code (see shim.h), their work items fibers (see items.cpp).
// Environment: CUDA_EMULATOR_DEVICES (1), CUDA_EMULATOR_MEMORY (bytes, 4 GiB), CUDA_EMULATOR_CAPABILITY (90).
#include "items.h"
#include <deque>
#include <dlfcn.h>
#include <elf.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vector>

typedef uint64_t Address;
enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, BAD_DEVICE = 101, BAD_IMAGE = 200, NO_CONTEXT = 201,
       NO_BINARY = 209, BAD_PTX = 218, BAD_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, TOO_MUCH = 701,
       LAUNCH_FAILED = 719, UNSUPPORTED = 801, CAPTURING = 900 };

static std::recursive_mutex lock;
#define CALL extern "C" __attribute__((visibility("default"))) int
#define GUARD std::lock_guard<std::recursive_mutex> guard(lock)

static long setting(const char *name, long usual) {
  const char *text = getenv(name);
  return text && *text ? atol(text) : usual;
}

// --- memory ------------------------------------------------------------------------------------------------------------------------

struct Block { size_t bytes, mapped; char *start; int device; bool pinned; };
static std::map<Address, Block> blocks;
static const size_t PAGE = 4096;

static Block *block_of(Address at, size_t bytes) {
  auto next = blocks.upper_bound(at);
  if (next == blocks.begin()) return nullptr;
  auto &[start, block] = *--next;
  return at + bytes <= start + block.bytes ? &block : nullptr;
}

// Between calls the memory of devices cannot be reached.
static void reachable(bool yes) {
  for (auto &[start, b] : blocks)
    if (!b.pinned) mprotect(b.start + PAGE, b.mapped - 2 * PAGE, yes ? PROT_READ | PROT_WRITE : PROT_NONE);
}
struct Reach {
  Reach() { reachable(true); }
  ~Reach() { reachable(false); }
};

// --- devices, streams, events --------------------------------------------------------------------------------------------------------

struct Stream;
struct Place { Stream *stream; uint64_t number; };
struct Op { std::vector<Place> after; std::function<int()> run; };
struct Graph { std::vector<std::function<int()>> ops; };
struct Device;
struct Stream {
  Device *device;
  bool blocking = true, capturing = false;
  std::deque<Op> ops;
  uint64_t pushed = 0, done = 0;
  Graph graph;
};
struct Event { Stream *stream = nullptr; uint64_t number = 0; timespec at{}; bool timed = true; };
struct Module { void *handle; Device *device; };
struct Function { const EmulatedKernel *kernel; Device *device; int dynamic; size_t shared; };
struct Device {
  int index = 0;
  int lost = 0;
  size_t used = 0;
  Stream usual;
  std::vector<Stream *> streams;
};
static std::vector<std::unique_ptr<Device>> devices;
static pid_t owner = 0;
static thread_local std::vector<Device *> current;

static int ready() { return owner == 0 || owner != getpid() ? NOT_INITIALIZED : OK; }
#define DEVICE                                             \
  GUARD;                                                   \
  if (int r = ready()) return r;                           \
  if (current.empty()) return NO_CONTEXT;                  \
  Device *d = current.back();                              \
  if (d->lost) return d->lost

static void run_until(Stream *s, uint64_t number) {
  while (s->done < number && !s->ops.empty()) {
    Op op = std::move(s->ops.front());
    s->ops.pop_front();
    for (auto &p : op.after) run_until(p.stream, p.number);
    if (!s->device->lost)
      if (int r = op.run()) s->device->lost = r;
    s->done++;
  }
}

static Stream *stream_of(Device *d, void *given) { return (uintptr_t)given < 3 ? &d->usual : (Stream *)given; }

// The default stream waits for all that block, and they for it.
static int push(Stream *s, std::function<int()> run, std::vector<Place> after = {}) {
  if (s->capturing) {
    s->graph.ops.push_back(run);
    return OK;
  }
  Device *d = s->device;
  if (s == &d->usual) {
    for (Stream *t : d->streams)
      if (t->blocking) after.push_back({t, t->pushed});
  } else if (s->blocking) {
    after.push_back({&d->usual, d->usual.pushed});
  }
  s->ops.push_back({std::move(after), std::move(run)});
  s->pushed++;
  return OK;
}

static int finish(Stream *s) {
  run_until(s, s->pushed);
  return s->device->lost;
}

static int finish_all(Device *d) {
  for (Stream *s : d->streams) finish(s);
  return finish(&d->usual);
}

CALL cuInit(unsigned) {
  GUARD;
  if (owner == getpid()) return OK;
  if (owner) return NOT_INITIALIZED;
  long count = setting("CUDA_EMULATOR_DEVICES", 1);
  if (count <= 0) return NO_DEVICE;
  for (long i = 0; i < count; i++) {
    devices.emplace_back(new Device);
    devices[i]->index = (int)i;
    devices[i]->usual.device = devices[i].get();
  }
  owner = getpid();
  return OK;
}
CALL cuDriverGetVersion(int *v) { *v = 13000; return OK; }
CALL cuDeviceGetCount(int *n) { GUARD; if (int r = ready()) return r; *n = (int)devices.size(); return OK; }
CALL cuDeviceGet(int *d, int i) { GUARD; if (int r = ready()) return r; *d = i; return i < 0 || i >= (int)devices.size() ? BAD_DEVICE : OK; }
CALL cuDeviceGetName(char *out, int n, int) { snprintf(out, n, "emulated on the host"); return OK; }
CALL cuDeviceTotalMem_v2(size_t *n, int) { *n = (size_t)setting("CUDA_EMULATOR_MEMORY", 1l << 32); return OK; }
CALL cuDeviceGetAttribute(int *v, int a, int) {
  int capability = (int)setting("CUDA_EMULATOR_CAPABILITY", 90);
  static const std::map<int, int> known = {{1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152},
                                           {10, 32}, {16, 4}, {38, 1 << 20}, {41, 1}, {97, 232448}, {115, 1}};
  auto found = known.find(a);
  *v = a == 75 ? capability / 10 : a == 76 ? capability % 10 : found == known.end() ? 0 : found->second;
  return OK;
}
CALL cuDeviceComputeCapability(int *a, int *b, int d) { cuDeviceGetAttribute(a, 75, d); return cuDeviceGetAttribute(b, 76, d); }
CALL cuDevicePrimaryCtxRetain(void **c, int i) { GUARD; if (int r = ready()) return r; *c = devices[i].get(); return devices[i]->lost; }
CALL cuDevicePrimaryCtxRelease_v2(int) { return OK; }
CALL cuCtxPushCurrent_v2(void *c) { if (int r = ready()) return r; current.push_back((Device *)c); return OK; }
CALL cuCtxPopCurrent_v2(void **c) {
  if (int r = ready()) return r;
  if (current.empty()) return NO_CONTEXT;
  if (c) *c = current.back();
  current.pop_back();
  return OK;
}
CALL cuCtxSetCurrent(void *c) { current.clear(); if (c) current.push_back((Device *)c); return ready(); }
CALL cuCtxGetCurrent(void **c) { *c = current.empty() ? nullptr : current.back(); return ready(); }
CALL cuCtxGetDevice(int *i) { DEVICE; *i = d->index; return OK; }
CALL cuCtxGetApiVersion(void *, unsigned *v) { *v = 13000; return OK; }
CALL cuCtxDetach(void *) { return OK; }
CALL cuCtxSynchronize(void) { DEVICE; return finish_all(d); }
// How many contexts this thread has pushed: for tests of who pops them.
CALL emulator_depth(void) { return (int)current.size(); }

static std::map<int, std::pair<const char *, const char *>> said = {
    {OK, {"CUDA_SUCCESS", "no error"}}, {INVALID, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {NO_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}}, {NOT_INITIALIZED, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
    {NO_DEVICE, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}}, {NO_CONTEXT, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {BAD_IMAGE, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}}, {NO_BINARY, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}},
    {BAD_PTX, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}}, {NOT_FOUND, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {NOT_READY, {"CUDA_ERROR_NOT_READY", "device not ready"}}, {ILLEGAL_ADDRESS, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
    {TOO_MUCH, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}}, {LAUNCH_FAILED, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
    {UNSUPPORTED, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}}, {CAPTURING, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}}};
CALL cuGetErrorString(int e, const char **s) { *s = said.count(e) ? said[e].second : "unrecognized error code"; return OK; }
CALL cuGetErrorName(int e, const char **s) { *s = said.count(e) ? said[e].first : "CUDA_ERROR_UNKNOWN"; return OK; }

// --- allocation and copies -----------------------------------------------------------------------------------------------------------

static int allocate(Device *d, Address *out, size_t bytes, bool pinned) {
  if (!bytes) return INVALID;
  size_t most = (size_t)setting("CUDA_EMULATOR_MEMORY", 1l << 32), whole = (bytes + 255) & ~(size_t)255;
  if (!pinned && d->used + whole > most) return NO_MEMORY;
  size_t mapped = (whole + PAGE - 1) / PAGE * PAGE + 2 * PAGE;
  char *start = (char *)mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return NO_MEMORY;
  mprotect(start + PAGE, mapped - 2 * PAGE, PROT_READ | PROT_WRITE);
  *out = (Address)(start + mapped - PAGE - whole);  // its end is the end of a page: one element behind it is an illegal address
  memset((void *)*out, 0xCB, whole < 1 << 20 ? whole : 1 << 20);
  if (!pinned) mprotect(start + PAGE, mapped - 2 * PAGE, PROT_NONE);
  blocks[*out] = {whole, mapped, start, d->index, pinned};
  if (!pinned) d->used += whole;
  return OK;
}
static int release(Address at) {
  auto found = blocks.find(at);
  if (found == blocks.end()) return INVALID;
  if (!found->second.pinned) devices[found->second.device]->used -= found->second.bytes;
  munmap(found->second.start, found->second.mapped);
  blocks.erase(found);
  return OK;
}
CALL cuMemAlloc_v2(Address *p, size_t n) { DEVICE; return allocate(d, p, n, false); }
CALL cuMemFree_v2(Address p) { DEVICE; finish_all(d); return d->lost ? d->lost : release(p); }
CALL cuMemAllocAsync(Address *p, size_t n, void *) { DEVICE; return allocate(d, p, n, false); }
CALL cuMemFreeAsync(Address p, void *s) { DEVICE; return push(stream_of(d, s), [=] { return release(p); }); }
CALL cuMemHostAlloc(void **p, size_t n, unsigned) { DEVICE; return allocate(d, (Address *)p, n, true); }
CALL cuMemFreeHost(void *p) { DEVICE; finish_all(d); return d->lost ? d->lost : release((Address)p); }
CALL cuMemHostGetDevicePointer_v2(Address *p, void *host, unsigned) { *p = (Address)host; return OK; }
CALL cuMemGetInfo_v2(size_t *rest, size_t *all) { DEVICE; cuDeviceTotalMem_v2(all, 0); *rest = *all - d->used; return OK; }

static bool pinned(const void *host, size_t n) { Block *b = block_of((Address)host, n); return b && b->pinned; }
static bool on_device(const void *host) { Block *b = block_of((Address)host, 1); return b && !b->pinned; }
static int copied(void *to, const void *from, size_t n) {
  Reach reach;
  memmove(to, from, n);
  return OK;
}
static int to_device(Address to, const void *from, size_t n, Stream *s) {
  if (!block_of(to, n) || on_device(from)) return INVALID;
  if (pinned(from, n)) return push(s, [=] { return copied((void *)to, from, n); });
  auto kept = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + n);
  return push(s, [=] { return copied((void *)to, kept->data(), n); });
}
static int to_host(void *to, Address from, size_t n, Stream *s) {
  if (!block_of(from, n) || on_device(to)) return INVALID;
  push(s, [=] { return block_of(from, n) ? copied(to, (void *)from, n) : (int)ILLEGAL_ADDRESS; });
  return pinned(to, n) || s->capturing ? OK : finish(s);
}
CALL cuMemcpyHtoD_v2(Address to, const void *from, size_t n) {
  DEVICE;
  if (!block_of(to, n) || on_device(from)) return INVALID;
  push(&d->usual, [=] { return copied((void *)to, from, n); });
  return finish(&d->usual);
}
CALL cuMemcpyDtoH_v2(void *to, Address from, size_t n) { DEVICE; int r = to_host(to, from, n, &d->usual); return r ? r : finish(&d->usual); }
CALL cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t n, void *s) { DEVICE; return to_device(to, from, n, stream_of(d, s)); }
CALL cuMemcpyDtoHAsync_v2(void *to, Address from, size_t n, void *s) { DEVICE; return to_host(to, from, n, stream_of(d, s)); }
CALL cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, void *s) {
  DEVICE;
  if (!block_of(to, n) || !block_of(from, n)) return INVALID;
  return push(stream_of(d, s), [=] { return copied((void *)to, (void *)from, n); });
}
CALL cuMemcpyDtoD_v2(Address to, Address from, size_t n) { return cuMemcpyDtoDAsync_v2(to, from, n, nullptr); }
CALL cuMemcpyPeer(Address to, void *there, Address from, void *here, size_t n) {
  DEVICE;
  if (!block_of(to, n) || !block_of(from, n)) return INVALID;
  if (block_of(to, n)->device != ((Device *)there)->index || block_of(from, n)->device != ((Device *)here)->index) return INVALID;
  finish_all((Device *)here);
  finish_all((Device *)there);
  return copied((void *)to, (void *)from, n);
}

CALL cuStreamCreate(void **s, unsigned flags) {
  DEVICE;
  Stream *made = new Stream;
  made->device = d;
  made->blocking = !(flags & 1);
  d->streams.push_back(made);
  *s = made;
  return OK;
}
CALL cuStreamDestroy_v2(void *s) { DEVICE; return finish((Stream *)s); }
CALL cuStreamSynchronize(void *s) { DEVICE; Stream *t = stream_of(d, s); return t->capturing ? (int)CAPTURING : finish(t); }
CALL cuStreamQuery(void *s) { DEVICE; Stream *t = stream_of(d, s); return t->done < t->pushed ? NOT_READY : OK; }
CALL cuEventCreate(void **e, unsigned flags) { DEVICE; Event *made = new Event; made->timed = !(flags & 2); *e = made; return OK; }
CALL cuEventDestroy_v2(void *e) { DEVICE; return OK; }
CALL cuEventRecord(void *event, void *s) {
  DEVICE;
  Event *e = (Event *)event;
  Stream *t = stream_of(d, s);
  if (t->capturing) return CAPTURING;
  push(t, [=] { clock_gettime(CLOCK_MONOTONIC, &e->at); return (int)OK; });
  e->stream = t;
  e->number = t->pushed;
  return OK;
}
CALL cuEventSynchronize(void *event) { DEVICE; Event *e = (Event *)event; if (e->stream) run_until(e->stream, e->number); return d->lost; }
CALL cuEventQuery(void *event) {
  DEVICE;
  Event *e = (Event *)event;
  if (!e->stream || e->stream->done >= e->number) return OK;
  run_until(e->stream, e->stream->done + 1);
  return d->lost ? d->lost : NOT_READY;
}
CALL cuEventElapsedTime(float *ms, void *a, void *b) {
  DEVICE;
  Event *x = (Event *)a, *y = (Event *)b;
  if (!x->timed || !y->timed) return BAD_HANDLE;
  if (x->stream->done < x->number || y->stream->done < y->number) return NOT_READY;
  *ms = (float)((y->at.tv_sec - x->at.tv_sec) * 1e3 + (y->at.tv_nsec - x->at.tv_nsec) * 1e-6);
  return OK;
}
CALL cuEventElapsedTime_v2(float *ms, void *a, void *b) { return cuEventElapsedTime(ms, a, b); }
CALL cuStreamWaitEvent(void *s, void *event, unsigned) {
  DEVICE;
  Event *e = (Event *)event;
  return e->stream ? push(stream_of(d, s), [] { return (int)OK; }, {{e->stream, e->number}}) : OK;
}

// --- code ----------------------------------------------------------------------------------------------------------------------------

CALL cuModuleLoadDataEx(void **m, const void *image, unsigned, void *, void *) {
  DEVICE;
  const char *text = (const char *)image;
  if (memcmp(text, ELFMAG, SELFMAG)) return strstr(text, ".version") ? BAD_PTX : BAD_IMAGE;
  const Elf64_Ehdr *head = (const Elf64_Ehdr *)text;
  if (head->e_machine == 190) return NO_BINARY;  // code of a GPU
  char path[] = "/tmp/cuda-emulator-XXXXXX";
  int file = mkstemp(path);
  size_t bytes = head->e_shoff + (size_t)head->e_shnum * head->e_shentsize;
  bool whole = file >= 0 && write(file, text, bytes) == (ssize_t)bytes;
  if (file >= 0) close(file);
  void *handle = whole ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!handle) fprintf(stderr, "emulator: %s\n", dlerror());
  if (file >= 0) unlink(path);
  if (!handle) return BAD_IMAGE;
  *m = new Module{handle, d};
  return OK;
}
CALL cuModuleLoadData(void **m, const void *image) { return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr); }
CALL cuModuleUnload(void *m) { DEVICE; finish_all(d); dlclose(((Module *)m)->handle); return OK; }
CALL cuModuleGetFunction(void **f, void *m, const char *name) {
  DEVICE;
  std::string symbol = std::string(name) + "__emulated";
  auto *kernel = (const EmulatedKernel *)dlsym(((Module *)m)->handle, symbol.c_str());
  if (!kernel) return NOT_FOUND;
  *f = new Function{kernel, d, 49152 - (int)kernel->shared_bytes(), kernel->shared_bytes()};
  return OK;
}
CALL cuFuncGetAttribute(int *v, int a, void *f) {
  DEVICE;
  Function *function = (Function *)f;
  *v = a == 0 ? 1024 : a == 1 ? (int)function->shared : a == 4 ? 32 : a == 8 ? function->dynamic : 0;
  return OK;
}
CALL cuFuncSetAttribute(void *f, int a, int v) {
  DEVICE;
  Function *function = (Function *)f;
  if (a != 8 || v + (int)function->shared > 232448) return INVALID;
  function->dynamic = v;
  return OK;
}
CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *, int threads, size_t) { *n = 2048 / threads; return OK; }

static void **given(void **args, void **extra, const EmulatedKernel *k, std::vector<void *> &places) {
  if (args) return args;
  char *data = nullptr;
  for (void **e = extra; e && *e; e += 2)
    if (*e == (void *)1) data = (char *)e[1];
  size_t at = 0;
  for (int i = 0; i < k->count; i++) {
    at = (at + k->sizes[i] - 1) / k->sizes[i] * k->sizes[i];
    places.push_back(data + at);
    at += k->sizes[i];
  }
  return places.data();
}
CALL cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s,
                    void **args, void **extra) {
  DEVICE;
  Function *function = (Function *)f;
  const EmulatedKernel *k = function->kernel;
  if (function->device != d) return BAD_HANDLE;
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || (uint64_t)bx * by * bz > 1024 || bz > 64) return INVALID;
  if ((int)shared > function->dynamic) return INVALID;
  std::vector<void *> places;
  void **from = given(args, extra, k, places);
  auto kept = std::make_shared<std::vector<uint64_t>>(2 * k->count);
  for (int i = 0; i < k->count; i++) memcpy(&(*kept)[2 * i], from[i], k->sizes[i]);
  Launch launch{{gx, gy, gz}, {bx, by, bz}, shared};
  return push(stream_of(d, s), [=] {
    std::vector<void *> pointers;
    for (int i = 0; i < k->count; i++) pointers.push_back(&(*kept)[2 * i]);
    Reach reach;
    Outcome outcome = run_items(*k, launch, pointers.data());
    return outcome == DONE ? (int)OK : outcome == FAULT ? (int)ILLEGAL_ADDRESS : (int)LAUNCH_FAILED;
  });
}

CALL cuStreamBeginCapture_v2(void *s, int) {
  DEVICE;
  if ((uintptr_t)s < 3) return CAPTURING;
  ((Stream *)s)->capturing = true;
  ((Stream *)s)->graph.ops.clear();
  return OK;
}
CALL cuStreamEndCapture(void *s, void **g) {
  DEVICE;
  Stream *t = (Stream *)s;
  t->capturing = false;
  *g = new Graph(t->graph);
  return OK;
}
CALL cuGraphInstantiateWithFlags(void **e, void *g, unsigned long long) { DEVICE; *e = new Graph(*(Graph *)g); return OK; }
CALL cuGraphDestroy(void *g) { delete (Graph *)g; return OK; }
CALL cuGraphExecDestroy(void *) { return OK; }
CALL cuGraphLaunch(void *g, void *s) {
  DEVICE;
  for (auto &op : ((Graph *)g)->ops) push(stream_of(d, s), op);
  return OK;
}

// --- how callers find all this -------------------------------------------------------------------------------------------------------

CALL cuGetProcAddress_v2(const char *name, void **out, int, uint64_t, int *status) {
  static void *self = nullptr;
  if (!self) {
    Dl_info info;
    dladdr((void *)&cuInit, &info);
    self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }
  *out = nullptr;
  for (const char *suffix : {"_v4", "_v3", "_v2", "WithFlags", ""})
    if (!*out) *out = dlsym(self, (std::string(name) + suffix).c_str());
  if (status) *status = *out ? 0 : 1;
  return *out ? OK : NOT_FOUND;
}
CALL cuGetProcAddress(const char *name, void **out, int v, uint64_t flags) { return cuGetProcAddress_v2(name, out, v, flags, nullptr); }

// What pycuda wants to be there when it loads, and nobody calls here.
#define ABSENT(name) CALL name(void) { return UNSUPPORTED; }
ABSENT(cuArray3DCreate_v2) ABSENT(cuArray3DGetDescriptor_v2) ABSENT(cuArrayCreate_v2) ABSENT(cuArrayDestroy) ABSENT(cuArrayGetDescriptor_v2)
ABSENT(cuCtxAttach) ABSENT(cuCtxCreate_v4) ABSENT(cuCtxDisablePeerAccess) ABSENT(cuCtxEnablePeerAccess)
ABSENT(cuCtxGetCacheConfig) ABSENT(cuCtxGetLimit) ABSENT(cuCtxGetSharedMemConfig) ABSENT(cuCtxSetCacheConfig) ABSENT(cuCtxSetLimit)
ABSENT(cuCtxSetSharedMemConfig) ABSENT(cuDeviceCanAccessPeer) ABSENT(cuDeviceGetByPCIBusId) ABSENT(cuDeviceGetPCIBusId)
ABSENT(cuFuncSetBlockShape) ABSENT(cuFuncSetCacheConfig) ABSENT(cuFuncSetSharedSize) ABSENT(cuIpcCloseMemHandle) ABSENT(cuIpcGetEventHandle)
ABSENT(cuIpcGetMemHandle) ABSENT(cuIpcOpenEventHandle) ABSENT(cuIpcOpenMemHandle_v2) ABSENT(cuLaunch) ABSENT(cuLaunchGrid)
ABSENT(cuLaunchGridAsync) ABSENT(cuLinkAddData_v2) ABSENT(cuLinkAddFile_v2) ABSENT(cuLinkComplete) ABSENT(cuLinkCreate_v2)
ABSENT(cuLinkDestroy) ABSENT(cuMemAllocManaged) ABSENT(cuMemAllocPitch_v2) ABSENT(cuMemGetAddressRange_v2) ABSENT(cuMemHostGetFlags)
ABSENT(cuMemHostRegister_v2) ABSENT(cuMemHostUnregister) ABSENT(cuMemcpy2DAsync_v2) ABSENT(cuMemcpy2DUnaligned_v2) ABSENT(cuMemcpy2D_v2)
ABSENT(cuMemcpy3DAsync_v2) ABSENT(cuMemcpy3DPeer) ABSENT(cuMemcpy3DPeerAsync) ABSENT(cuMemcpy3D_v2) ABSENT(cuMemcpyAtoA_v2)
ABSENT(cuMemcpyAtoD_v2) ABSENT(cuMemcpyAtoH_v2) ABSENT(cuMemcpyDtoA_v2) ABSENT(cuMemcpyHtoA_v2) ABSENT(cuMemcpyPeerAsync)
ABSENT(cuMemsetD16Async) ABSENT(cuMemsetD16_v2) ABSENT(cuMemsetD2D16Async) ABSENT(cuMemsetD2D16_v2) ABSENT(cuMemsetD2D32Async)
ABSENT(cuMemsetD2D32_v2) ABSENT(cuMemsetD2D8Async) ABSENT(cuMemsetD2D8_v2) ABSENT(cuMemsetD32Async) ABSENT(cuMemsetD32_v2)
ABSENT(cuMemsetD8Async) ABSENT(cuMemsetD8_v2) ABSENT(cuModuleGetGlobal_v2) ABSENT(cuModuleGetSurfRef) ABSENT(cuModuleGetTexRef)
ABSENT(cuModuleLoad) ABSENT(cuParamSetSize) ABSENT(cuParamSetTexRef) ABSENT(cuParamSetf) ABSENT(cuParamSeti) ABSENT(cuParamSetv)
ABSENT(cuProfilerInitialize) ABSENT(cuProfilerStart) ABSENT(cuProfilerStop) ABSENT(cuStreamAttachMemAsync) ABSENT(cuSurfRefGetArray)
ABSENT(cuSurfRefSetArray) ABSENT(cuTexRefCreate) ABSENT(cuTexRefDestroy) ABSENT(cuTexRefGetAddressMode) ABSENT(cuTexRefGetAddress_v2)
ABSENT(cuTexRefGetArray) ABSENT(cuTexRefGetFilterMode) ABSENT(cuTexRefGetFlags) ABSENT(cuTexRefGetFormat) ABSENT(cuTexRefSetAddress2D_v3)
ABSENT(cuTexRefSetAddressMode) ABSENT(cuTexRefSetAddress_v2) ABSENT(cuTexRefSetArray) ABSENT(cuTexRefSetFilterMode)
ABSENT(cuTexRefSetFlags) ABSENT(cuTexRefSetFormat)
