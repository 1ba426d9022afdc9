// What bench_worker_plain has in the place of the worker's wiping: nothing is wiped before it is freed, no register or stack is
// cleared, OpenSSL keeps its plaintext, and secrets lie in ordinary memory slots all the same. Never part of a product.
#include <openssl/ssl.h>

#include <cstdlib>

#include "vault/secret.h"
#include "worker/wiping.h"

namespace strongroom::worker {

void WipeAndFree(void* block) { std::free(block); }
void* WipingRealloc(void* block, std::size_t size) { return std::realloc(block, size); }

}  // namespace strongroom::worker

// The linker's --wrap puts these in the place of the real ones.
extern "C" {
void __wrap__ZN10strongroom5vault14ClearRegistersEv();
void __wrap__ZN10strongroom5vault14ClearRegistersEv() {}
void __wrap_explicit_bzero(void*, std::size_t);
void __wrap_explicit_bzero(void*, std::size_t) {}
void __wrap_sodium_memzero(void*, std::size_t);
void __wrap_sodium_memzero(void*, std::size_t) {}
std::uint64_t __real_SSL_CTX_set_options(SSL_CTX* context, std::uint64_t options);
std::uint64_t __wrap_SSL_CTX_set_options(SSL_CTX* context, std::uint64_t options);
std::uint64_t __wrap_SSL_CTX_set_options(SSL_CTX* context, std::uint64_t options) {
  return __real_SSL_CTX_set_options(context, options & ~SSL_OP_CLEANSE_PLAINTEXT);
}
}
