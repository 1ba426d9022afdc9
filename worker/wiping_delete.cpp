// The worker's operator delete: everything C++ frees is wiped, be it a string that grew, a JSON value or an
// answer that was moved. It is part of the program itself; from an archive a linker may leave it out.
#include <cstddef>
#include <cstdlib>
#include <new>

#include "worker/wiping.h"

// Sanitizers bring their own, and find in it what this would hide.
#ifndef STRONGROOM_SANITIZED

void operator delete(void* block) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete(void* block, std::size_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete[](void* block) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete[](void* block, std::align_val_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
  strongroom::worker::WipeAndFree(block);
}

#endif
