#include "worker/splice.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "vault/arena.h"

namespace strongroom::worker {
namespace {

// A placeholder begins with a marker that JSON hardly ever has, then 96 random bits that nobody outside can
// know. Together they are the tag, which fits the shortest key; longer placeholders repeat the random
// characters.
constexpr std::string_view kMarker = "~SR~";
constexpr std::size_t kTagBytes = 20;
constexpr std::size_t kRandomBytes = kTagBytes - kMarker.size();
constexpr std::size_t kMostArmed = 4096;
// One TLS record: a write that fits in one is delivered whole or, missing its authentication tag, not at all.
constexpr std::size_t kMostWrite = Splice::kScratchBytes;
static_assert(kMostWrite == SSL3_RT_MAX_PLAIN_LENGTH);

using WriteFunction = int (*)(SSL*, const void*, int);

// RealWrite is libssl's own SSL_write; nullptr where there is none behind ours.
WriteFunction RealWrite() {
  static const auto real = reinterpret_cast<WriteFunction>(dlsym(RTLD_NEXT, "SSL_write"));
  return real;
}

// FailWrite makes SSL_get_error say SSL_ERROR_SYSCALL, which curl takes for a dead connection. The queue
// entry is needed: without it SSL_get_error may report what the last SSL_read wanted, and curl would wait for
// that.
int FailWrite() {
  ERR_clear_error();
  ERR_raise(ERR_LIB_SYS, EPIPE);
  errno = EPIPE;
  return -1;
}

void FreeOrigin(void*, void* origin, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<vault::Origin*>(origin);
}

int OriginIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeOrigin);
  return index;
}

// IsAddress: an Origin's host with a colon is IPv6, and one that inet_pton takes is IPv4.
bool IsAddress(const vault::Origin& origin) {
  in_addr address{};
  return origin.host().find(':') != std::string::npos ||
         inet_pton(AF_INET, origin.host().c_str(), &address) == 1;
}

// Only a finished handshake, on a context bound to this very origin, with a certificate that OpenSSL itself
// verified for the host. (A resumed session was verified when it was made, under the same host and port.)
bool IsVerifiedFor(SSL* ssl, const vault::Origin& origin) {
  const auto* bound =
      static_cast<const vault::Origin*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), OriginIndex()));
  if (bound == nullptr || !(*bound == origin)) return false;
  if (SSL_is_server(ssl) != 0 || SSL_is_init_finished(ssl) == 0) return false;
  if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0 || SSL_get_verify_result(ssl) != X509_V_OK)
    return false;
  if (SSL_get0_peer_certificate(ssl) == nullptr) return false;
  return IsAddress(origin) || SSL_session_reused(ssl) != 0 || SSL_get0_peername(ssl) != nullptr;
}

// A connection about to carry a request has nothing to say. curl looks at the socket alone and takes a
// close_notify for a sign of life, so a server that closed an idle connection would cost a call; reading
// through TLS finds it.
bool IsQuiet(SSL* ssl) {
  char byte = 0;
  const int got = SSL_peek(ssl, &byte, 1);
  const bool quiet = got <= 0 && SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return quiet;
}

// The placeholder must be the whole value of one of the two key headers, in a head that ends in this very
// write.
bool IsKeyHeader(std::string_view outgoing, std::size_t at, std::string_view placeholder) {
  const std::string_view before = outgoing.substr(0, at), from = outgoing.substr(at);
  if (!from.starts_with(placeholder) || !from.substr(placeholder.size()).starts_with("\r\n")) return false;
  if (!before.ends_with("\r\nx-api-key: ") && !before.ends_with("\r\nauthorization: Bearer ")) return false;
  return before.find("\r\n\r\n") == std::string_view::npos && from.find("\r\n\r\n") != std::string_view::npos;
}

std::string MakePlaceholder(std::size_t size, std::span<const std::uint8_t> random) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text(kMarker);
  while (text.size() < size) {
    text += kAlphabet[random[(text.size() - kMarker.size()) % random.size()] % kAlphabet.size()];
  }
  return text;
}

}  // namespace

struct Splice::Armed {
  Armed(vault::SecretValue secret, const vault::Origin& key_origin, std::string text)
      : key(std::move(secret)), origin(key_origin), placeholder(std::move(text)) {}

  // Live is every armed splice by its tag, and the one scratch they share. The lock is held while a key is in
  // the scratch, and by nobody who sends without one.
  struct Live {
    std::mutex mutex;
    std::unordered_map<std::string_view, Armed*> by_tag;
    std::span<std::uint8_t> scratch;
    // What getentropy gives at most in one call, taken 16 bytes at a time, each byte once.
    std::array<std::uint8_t, 256> random{};
    std::size_t random_left = 0;
    // Random is valid until the next call; empty where the system has none.
    std::span<const std::uint8_t> Random() {
      if (random_left == 0 && getentropy(random.data(), random.size()) == 0) random_left = random.size();
      if (random_left == 0) return {};
      random_left -= kRandomBytes;
      return std::span(random).subspan(random_left, kRandomBytes);
    }
  };
  static Live& live() {
    static auto* const live = new Live;
    return *live;
  }

  std::string_view tag() const { return std::string_view(placeholder).substr(0, kTagBytes); }
  int Send(SSL* ssl, std::string_view outgoing, std::size_t at);
  int WriteSpliced(SSL* ssl, std::string_view outgoing, std::size_t at);
  int Refuse();

  vault::SecretValue key;
  const vault::Origin origin;
  const std::string placeholder;
  std::atomic<State> state = State::kArmed;
  std::atomic<bool> sent = false, met_dead = false;
  // A write that OpenSSL wants to see again: it holds a part of the record, which nobody can read yet.
  const SSL* pending = nullptr;
  std::size_t pending_size = 0;
};

int Splice::Armed::Refuse() {
  key.Wipe();
  state = State::kRefused;
  return FailWrite();
}

int Splice::Armed::WriteSpliced(SSL* ssl, std::string_view outgoing, std::size_t at) {
  const vault::SecretAccess access;
  const std::span<std::uint8_t> scratch = live().scratch.first(outgoing.size());
  const std::span<const std::uint8_t> secret = key.View().Bytes(access);
  memcpy(scratch.data(), outgoing.data(), outgoing.size());
  memcpy(scratch.data() + at, secret.data(), secret.size());
  const int written = RealWrite()(ssl, scratch.data(), static_cast<int>(scratch.size()));
  explicit_bzero(scratch.data(), scratch.size());
  vault::ClearRegisters();
  return written;
}

int Splice::Armed::Send(SSL* ssl, std::string_view outgoing, std::size_t at) {
  const bool again = pending == ssl && pending_size == outgoing.size();
  if (state != State::kArmed || (pending != nullptr && !again)) return Refuse();
  if (outgoing.size() > kMostWrite || !IsKeyHeader(outgoing, at, placeholder) || !IsVerifiedFor(ssl, origin))
    return Refuse();
  if (!again && !IsQuiet(ssl)) {
    met_dead = true;
    return FailWrite();
  }
  const int written = WriteSpliced(ssl, outgoing, at);
  if (written <= 0) {
    const int reason = SSL_get_error(ssl, written);
    const bool wanted = reason == SSL_ERROR_WANT_WRITE || reason == SSL_ERROR_WANT_READ;
    // A failed write left at most part of a record behind, so the key has not gone: it may take a new
    // connection.
    pending = wanted ? ssl : nullptr;
    pending_size = outgoing.size();
    return written;
  }
  sent = true;
  if (static_cast<std::size_t>(written) != outgoing.size()) return Refuse();
  key.Wipe();
  state = State::kDone;
  return written;
}

int Splice::Write(void* ssl, const void* bytes, int length) {
  auto* const connection = static_cast<SSL*>(ssl);
  const std::string_view outgoing(static_cast<const char*>(bytes),
                                  length > 0 ? static_cast<std::size_t>(length) : 0);
  std::size_t at = outgoing.find(kMarker);
  if (at == std::string_view::npos) return RealWrite()(connection, bytes, length);

  Armed::Live& live = Armed::live();
  std::unique_lock lock(live.mutex);
  Armed* found = nullptr;
  std::size_t found_at = 0;
  for (; at != std::string_view::npos; at = outgoing.find(kMarker, at + 1)) {
    const auto armed = live.by_tag.find(outgoing.substr(at, kTagBytes));
    if (armed == live.by_tag.end()) continue;  // a prompt may well contain the marker
    if (found != nullptr) {
      found->Refuse();
      return armed->second->Refuse();
    }
    found = armed->second;
    found_at = at;
  }
  if (found != nullptr) return found->Send(connection, outgoing, found_at);
  lock.unlock();
  return RealWrite()(connection, bytes, length);
}

Result<std::unique_ptr<Splice>> Splice::Arm(vault::SecretValue key, const vault::Origin& origin) {
  if (key.size() < kTagBytes) return Fail(Code::kInvalidArgument, "a key to send is at least 20 bytes");
  if (!origin.is_https()) return Fail(Code::kInvalidArgument, "a key only travels over https");
  if (RealWrite() == nullptr) return Fail(Code::kInternal, "no SSL_write behind the late splice's own");
  Armed::Live& live = Armed::live();
  const std::lock_guard lock(live.mutex);
  if (live.scratch.empty()) {
    TRY_ASSIGN(live.scratch, vault::Arena::Scratch(kMostWrite));
  }
  if (live.by_tag.size() >= kMostArmed)
    return Fail(Code::kResourceExhausted, "too many keys in flight at once", kMostArmed);
  const std::span<const std::uint8_t> random = live.Random();
  if (random.empty()) return Fail(Code::kUnavailable, "no random source", errno);
  std::string placeholder = MakePlaceholder(key.size(), random);
  auto armed = std::make_unique<Armed>(std::move(key), origin, std::move(placeholder));
  if (!live.by_tag.emplace(armed->tag(), armed.get()).second)
    return Fail(Code::kInternal, "two placeholders alike");
  return std::unique_ptr<Splice>(new Splice(std::move(armed)));
}

Splice::Splice(std::unique_ptr<Armed> armed) : armed_(std::move(armed)) {}

Splice::~Splice() {
  const std::lock_guard lock(Armed::live().mutex);
  Armed::live().by_tag.erase(armed_->tag());
}

std::string_view Splice::placeholder() const {
  return armed_->placeholder;
}
Splice::State Splice::state() const {
  return armed_->state;
}
bool Splice::sent() const {
  return armed_->sent;
}
bool Splice::met_dead() const {
  return armed_->met_dead;
}

Result<void> Splice::BindContext(void* ssl_ctx, const vault::Origin& origin) {
  auto* const context = static_cast<SSL_CTX*>(ssl_ctx);
  if (!origin.is_https()) return Fail(Code::kInvalidArgument, "only an https origin has TLS to bind");
  X509_VERIFY_PARAM* const rules = SSL_CTX_get0_param(context);
  const bool named = IsAddress(origin) ? X509_VERIFY_PARAM_set1_ip_asc(rules, origin.host().c_str()) == 1
                                       : X509_VERIFY_PARAM_set1_host(rules, origin.host().c_str(), 0) == 1;
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection must not keep the last answer: a provider may have sent the key back in it.
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  // The scratch is not curl's buffer, so a write that is repeated may come from elsewhere; and none may be
  // split.
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  auto bound = std::make_unique<vault::Origin>(origin);
  const bool kept = named && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                    SSL_CTX_get_ex_data(context, OriginIndex()) == nullptr &&
                    SSL_CTX_set_ex_data(context, OriginIndex(), bound.get()) == 1;
  if (!kept)
    return Fail(Code::kInternal, "OpenSSL refuses the settings that bind a connection to its origin");
  static_cast<void>(bound.release());
  return {};
}

}  // namespace strongroom::worker

// The hook. It is in the executable and so found before libssl's by every library that is loaded with it.
extern "C" __attribute__((visibility("default"))) int SSL_write(SSL* ssl, const void* bytes, int length) {
  return strongroom::worker::Splice::Write(ssl, bytes, length);
}
