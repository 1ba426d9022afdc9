// Wiping: memory that is zero before it is free. A provider may send the key back, in any part of any answer;
// what read the answer must not leave it behind.
#pragma once

#include <cstddef>

namespace strongroom::worker {

// WipeAndFree is free() of a block of malloc's, wiped first. Null is let be.
void WipeAndFree(void* block);

// WipingRealloc is realloc() that wipes what it moves away from; null where there is no memory.
void* WipingRealloc(void* block, std::size_t size);

}  // namespace strongroom::worker
