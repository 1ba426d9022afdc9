// Splice: the key replaces its placeholder inside SSL_write, at the moment of encryption, and nowhere else.
// curl never sees a key. This file's .cpp defines SSL_write itself and must be linked as an object, not from
// an archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "vault/origin.h"
#include "vault/secret.h"

namespace strongroom::worker {

// Splice is armed for one attempt: one key, one origin, one write. It is single-use: create it, hand its
// placeholder to curl, let the transfer run, ask `state`, end the transfer, destroy it. Splices of several
// threads do not meet.
class Splice {
 public:
  enum class State : std::uint8_t {
    kArmed,    // nothing was sent yet
    kDone,     // the key went out, exactly once, and has been wiped
    kRefused,  // a write was refused: wrong connection, placeholder not found once in the head, or a second
               // write
  };

  // What sending takes of locked memory, once a process: a TLS record's text.
  static constexpr std::size_t kScratchBytes = 16384;

  // Arm takes the key. The placeholder is random, of the key's length, of characters legal in a header value.
  // kResourceExhausted where too many are armed or no locked scratch is to be had, kInvalidArgument for a key
  // under 20 bytes or an origin that is not https.
  static Result<std::unique_ptr<Splice>> Arm(vault::SecretValue key, const vault::Origin& origin);
  ~Splice();
  Splice(const Splice&) = delete;
  Splice& operator=(const Splice&) = delete;

  std::string_view placeholder() const;
  State state() const;
  // sent is whether the key left, also where a second write was refused after it.
  bool sent() const;
  // met_dead is true once the hook held the key back from a connection that its peer had closed already: the
  // splice is still armed, and another connection may take it.
  bool met_dead() const;

  // BindContext is for curl's CURLOPT_SSL_CTX_FUNCTION: it ties every connection made from this SSL_CTX (an
  // OpenSSL SSL_CTX*) to the origin, and makes OpenSSL verify that host name itself.
  static Result<void> BindContext(void* ssl_ctx, const vault::Origin& origin);

  // SelfTest proves, with a real TLS handshake through libcurl to a thread of this process, that the hook is
  // live: the peer must see the key and curl must not. Call it with SIGPIPE ignored. The worker refuses to
  // run where it fails.
  static Result<void> SelfTest();

  // Write is what our SSL_write does; `ssl` is an OpenSSL SSL*. Only that hook calls it.
  static int Write(void* ssl, const void* bytes, int length);

 private:
  struct Armed;
  explicit Splice(std::unique_ptr<Armed> armed);
  std::unique_ptr<Armed> armed_;
};

}  // namespace strongroom::worker
