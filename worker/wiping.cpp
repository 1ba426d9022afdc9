#include "worker/wiping.h"

#include <malloc.h>
#include <string.h>

#include <cstdlib>

namespace strongroom::worker {

void WipeAndFree(void* block) {
  if (block == nullptr) return;
  explicit_bzero(block, malloc_usable_size(block));
  free(block);
}

void* WipingRealloc(void* block, std::size_t size) {
  if (block == nullptr) return malloc(size);
  const std::size_t held = malloc_usable_size(block);
  // What fits stays where it is, unless most of it would lie idle.
  if (size <= held && size >= held / 2) return block;
  void* const moved = malloc(size);
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, size < held ? size : held);
  WipeAndFree(block);
  return moved;
}

}  // namespace strongroom::worker
