#include "provider-sim/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace strongroom::sim {
namespace {

using State = Progress::State;

// Of the protocols a client offers, http/1.1 is taken; any other offer goes on without ALPN, as servers
// without HTTP/2 do.
int ChooseHttp1(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                unsigned int length, void*) {
  static constexpr std::array<unsigned char, 9> kHttp1 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kHttp1.data(), static_cast<unsigned int>(kHttp1.size()),
                            offered, length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Progress FromSocket(ssize_t count, State wanted) {
  if (count > 0) return {State::kDone, static_cast<std::size_t>(count)};
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {wanted, 0};
  return {State::kEnd, 0};
}

}  // namespace

void TlsFreer::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void TlsFreer::operator()(ssl_st* tls) const {
  SSL_free(tls);
}

Result<TlsContext> MakeTlsContext(const CertificatePaths& paths) {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Fail(Code::kInternal, "OpenSSL cannot make a TLS context");
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read call a record instead of two.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_alpn_select_cb(raw, ChooseHttp1, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, paths.server.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(raw, paths.server_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return Fail(Code::kInvalidArgument, "server.pem and server-key.pem of --tls-dir do not load");
  }
  return context;
}

Stream::Stream(int fd, ssl_ctx_st* context) : fd_(fd) {
  if (context == nullptr) return;
  tls_.reset(SSL_new(context));
  CHECK(tls_ && SSL_set_fd(tls_.get(), fd) == 1);
  SSL_set_accept_state(tls_.get());
}

Progress Stream::Handshake() {
  if (!tls_) return {State::kDone, 0};
  ERR_clear_error();
  return FromTls(SSL_do_handshake(tls_.get()));
}

Progress Stream::Read(std::span<char> into) {
  if (!tls_) return FromSocket(recv(fd_, into.data(), into.size(), 0), State::kWantRead);
  ERR_clear_error();
  return FromTls(SSL_read(tls_.get(), into.data(), static_cast<int>(into.size())));
}

Progress Stream::Write(std::string_view bytes) {
  if (!tls_) return FromSocket(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), State::kWantWrite);
  constexpr std::size_t kMost = 1UL << 30;
  ERR_clear_error();
  return FromTls(SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), kMost))));
}

bool Stream::HasBuffered() const {
  return tls_ && SSL_has_pending(tls_.get()) == 1;
}

void Stream::FinishWriting() {
  ERR_clear_error();
  if (tls_) SSL_shutdown(tls_.get());
  shutdown(fd_, SHUT_WR);
}

Progress Stream::FromTls(int result) const {
  if (result > 0) return {State::kDone, static_cast<std::size_t>(result)};
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {State::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {State::kWantWrite, 0};
    default:
      return {State::kEnd, 0};
  }
}

}  // namespace strongroom::sim
