// A sealed key's file that parses prints to one that parses to the same.
#include "tests/fuzz/labelled.h"
#include "vault/key_blob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strongroom::CheckLabelled<strongroom::vault::KeyBlob>({data, size});
  return 0;
}
