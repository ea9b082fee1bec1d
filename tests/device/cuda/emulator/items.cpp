// The work items of an EMULATED launch: fibers of one thread, a group after the other.
// A work item runs until it waits for its group or its warp, or returns; memory of a group is undefined (0xCD) when the group starts.
#include "items.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

#define SEEN extern "C" __attribute__((visibility("default")))
SEEN unsigned emulated_thread[3], emulated_block[3], emulated_block_size[3], emulated_grid_size[3];
SEEN char *emulated_dynamic;
unsigned emulated_thread[3], emulated_block[3], emulated_block_size[3], emulated_grid_size[3];
char *emulated_dynamic;
SEEN uint64_t emulated_slots[1024 * 2];
uint64_t emulated_slots[1024 * 2];
SEEN unsigned emulated_words[1024][6];
unsigned emulated_words[1024][6];

namespace {
enum State { READY, AT_BARRIER, AT_WARP, GONE };
const size_t STACK = 256 << 10;
struct Fiber { ucontext_t context; char *stack = nullptr; int item = -1; };
struct Item { State state = READY; Fiber *fiber = nullptr; };

std::vector<Fiber *> spare;
std::vector<Item> items;
ucontext_t scheduler;
sigjmp_buf out;
int next_item, running;
const EmulatedKernel *kernel;
void **arguments;

void enter(int item) {
  running = item;
  unsigned x = emulated_block_size[0], y = emulated_block_size[1];
  emulated_thread[0] = item % x;
  emulated_thread[1] = item / x % y;
  emulated_thread[2] = item / x / y;
}

// Runs one work item after the other, as long as none of them waits.
void fiber_main(unsigned high, unsigned low) {
  Fiber *fiber = (Fiber *)((uintptr_t)high << 32 | low);
  while (next_item < (int)items.size()) {
    fiber->item = next_item++;
    items[fiber->item].fiber = fiber;
    enter(fiber->item);
    kernel->call(arguments);
    items[fiber->item].state = GONE;
  }
  spare.push_back(fiber);
  swapcontext(&fiber->context, &scheduler);
}

void start() {
  Fiber *fiber = spare.empty() ? new Fiber : spare.back();
  if (!spare.empty()) spare.pop_back();
  if (!fiber->stack)
    fiber->stack = (char *)mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = STACK;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, (void (*)())fiber_main, 2, (unsigned)((uintptr_t)fiber >> 32), (unsigned)(uintptr_t)fiber);
  swapcontext(&scheduler, &fiber->context);
}

void wait_as(State state) {
  int me = running;
  Fiber *fiber = items[me].fiber;
  items[me].state = state;
  swapcontext(&fiber->context, &scheduler);
  enter(me);
}

bool release(size_t from, size_t to, State waiting) {
  bool any = false;
  for (size_t i = from; i < to; i++) {
    if (items[i].state != GONE && items[i].state != waiting) return false;
    any |= items[i].state == waiting;
  }
  for (size_t i = from; any && i < to; i++)
    if (items[i].state == waiting) items[i].state = READY;
  return any;
}

bool group() {
  next_item = 0;
  items.assign(items.size(), Item());
  while (next_item < (int)items.size()) start();
  for (;;) {
    bool ran = false, left = false;
    for (size_t i = 0; i < items.size(); i++) {
      if (items[i].state == READY) {
        ran = true;
        swapcontext(&scheduler, &items[i].fiber->context);
      }
      left |= items[i].state != GONE;
    }
    if (!left) return true;
    if (ran) continue;
    bool released = release(0, items.size(), AT_BARRIER);
    for (size_t w = 0; w < items.size(); w += 32) released |= release(w, w + 32 < items.size() ? w + 32 : items.size(), AT_WARP);
    if (!released) return false;
  }
}

void faulted(int) { siglongjmp(out, 1); }
}  // namespace

SEEN void emulated_barrier(void) { wait_as(AT_BARRIER); }
SEEN void emulated_warp_barrier(void) { wait_as(AT_WARP); }
SEEN int emulated_item(void) { return running; }

Outcome run_items(const EmulatedKernel &k, const Launch &launch, void **args) {
  kernel = &k;
  arguments = args;
  memcpy(emulated_block_size, launch.block, sizeof launch.block);
  memcpy(emulated_grid_size, launch.grid, sizeof launch.grid);
  items.assign((size_t)launch.block[0] * launch.block[1] * launch.block[2], Item());
  struct sigaction action {}, old_fault, old_bus;
  action.sa_handler = faulted;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &action, &old_fault);
  sigaction(SIGBUS, &action, &old_bus);
  emulated_dynamic = (char *)aligned_alloc(256, (launch.dynamic + 511) & ~(size_t)255);
  volatile Outcome outcome = DONE;
  if (sigsetjmp(out, 1)) {
    outcome = FAULT;
  } else {
    for (unsigned z = 0; z < launch.grid[2] && outcome == DONE; z++)
      for (unsigned y = 0; y < launch.grid[1] && outcome == DONE; y++)
        for (unsigned x = 0; x < launch.grid[0] && outcome == DONE; x++) {
          emulated_block[0] = x, emulated_block[1] = y, emulated_block[2] = z;
          memset(k.shared_start, 0xCD, k.shared_bytes());
          memset(emulated_dynamic, 0xCD, launch.dynamic);
          if (!group()) outcome = STUCK;
        }
  }
  free(emulated_dynamic);
  sigaction(SIGSEGV, &old_fault, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  return outcome;
}
