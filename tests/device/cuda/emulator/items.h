// The work items of an EMULATED launch: fibers of one thread, a group after the other.
#pragma once
#include <stddef.h>
#include <string>

struct EmulatedKernel {
  void (*call)(void **args);
  int count;
  const size_t *sizes;
  char *shared_start, *shared_end;
  size_t shared_bytes() const { return (size_t)(shared_end - shared_start); }
};
struct Launch { unsigned grid[3], block[3]; size_t dynamic; };
enum Outcome { DONE, FAULT, STUCK };

// STUCK: work items wait for others that never come.
Outcome run_items(const EmulatedKernel &kernel, const Launch &launch, void **args);
