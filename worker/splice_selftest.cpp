// Is the hook live in this very process? One exchange between libcurl and a TLS server thread, over a Unix
// socket.
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "worker/splice.h"
#include "worker/transport_easy.h"

namespace strongroom::worker {
namespace {

// No name is looked up and no port is used: curl is told a Unix socket.
constexpr const char* kUrl = "https://self-test.invalid/";
constexpr const char* kHost = "self-test.invalid";
// Not a secret: it only has to be told from its placeholder.
constexpr std::string_view kCanary = "self-test-canary-key-0123456789";
constexpr long kMostMilliseconds = 5000;
constexpr time_t kMostSeconds = 5;
constexpr long kCertificateSeconds = 3600;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using KeyPair = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Store = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freer<SSL_free>>;
using HeaderList = std::unique_ptr<curl_slist, Freer<curl_slist_free_all>>;

struct Socket {
  explicit Socket(int owned) : fd(owned) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  const int fd;
  ~Socket() {
    if (fd >= 0) close(fd);
  }
};

bool AddExtension(X509* certificate, int nid, const char* value) {
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Certificate SelfSigned(EVP_PKEY* key) {
  Certificate made(X509_new());
  if (made == nullptr || key == nullptr) return nullptr;
  const auto* const name = reinterpret_cast<const unsigned char*>(kHost);
  const bool ok = X509_set_version(made.get(), X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1) == 1 &&
                  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kCertificateSeconds) != nullptr &&
                  X509_gmtime_adj(X509_getm_notAfter(made.get()), kCertificateSeconds) != nullptr &&
                  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC, name, -1,
                                             -1, 0) == 1 &&
                  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get())) == 1 &&
                  X509_set_pubkey(made.get(), key) == 1 &&
                  AddExtension(made.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                  AddExtension(made.get(), NID_subject_alt_name, (std::string("DNS:") + kHost).c_str()) &&
                  X509_sign(made.get(), key, EVP_sha256()) > 0;
  return ok ? std::move(made) : nullptr;
}

// ServeOne answers every whole head it reads with an empty 200 and returns all it read.
std::string ServeOne(SSL_CTX* context, int fd) {
  const Connection connection(SSL_new(context));
  if (connection == nullptr || SSL_set_fd(connection.get(), fd) != 1 || SSL_accept(connection.get()) != 1)
    return "";
  static constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  std::string seen;
  std::array<char, 4096> buffer{};
  for (int got = 0; (got = SSL_read(connection.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0;) {
    seen.append(buffer.data(), static_cast<std::size_t>(got));
    if (seen.ends_with("\r\n\r\n"))
      SSL_write(connection.get(), kAnswer.data(), static_cast<int>(kAnswer.size()));
  }
  return seen;
}

// Serve takes one connection after the other until the listener is shut down.
std::string Serve(SSL_CTX* context, int listener) {
  for (std::string seen;;) {
    const Socket socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.fd < 0) return seen;
    seen += ServeOne(context, socket.fd);
  }
}

struct Outcome {
  CURLcode first = CURLE_OK, second = CURLE_OK;
};

// Call sends the placeholder twice, over a verified connection each.
Result<Outcome> Call(const Splice& splice, const Aim& aim, const std::string& socket_name) {
  TRY_ASSIGN(const EasyHandle easy, MakeEasy());
  const HeaderList headers(
      curl_slist_append(nullptr, ("x-api-key: " + std::string(splice.placeholder())).c_str()));
  CURL* const curl = easy.get();
  AimAt(curl, aim);
  curl_easy_setopt(curl, CURLOPT_URL, kUrl);
  curl_easy_setopt(curl, CURLOPT_ABSTRACT_UNIX_SOCKET, socket_name.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kMostMilliseconds);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  Outcome outcome;
  outcome.first = curl_easy_perform(curl);
  if (outcome.first == CURLE_OK) outcome.second = curl_easy_perform(curl);
  return outcome;
}

std::size_t Count(std::string_view text, std::string_view needle) {
  std::size_t count = 0;
  for (std::size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + 1))
    ++count;
  return count;
}

Result<void> Judge(const Outcome& outcome, const Splice& splice, std::string_view seen) {
  const std::string wanted = "\r\nx-api-key: " + std::string(kCanary) + "\r\n";
  if (outcome.first != CURLE_OK) {
    return Fail(Code::kInternal, "the late splice's self-test got no answer; curl's code", outcome.first);
  }
  if (Count(seen, splice.placeholder()) != 0) {
    return Fail(Code::kInternal, "the late splice is not live: the peer was sent the placeholder");
  }
  if (Count(seen, wanted) != 1 || Count(seen, kCanary) != 1) {
    return Fail(Code::kInternal, "the late splice did not put the key into its header exactly once");
  }
  if (outcome.second == CURLE_OK || splice.state() != Splice::State::kRefused || Count(seen, "GET ") != 1) {
    return Fail(Code::kInternal, "the late splice let a key's request out a second time");
  }
  return {};
}

struct Peer {
  Context context;
  Store trusted;
};

Result<Peer> MakePeer() {
  const KeyPair key(EVP_EC_gen("P-256"));
  const Certificate certificate = SelfSigned(key.get());
  Peer peer{Context(SSL_CTX_new(TLS_server_method())), Store(X509_STORE_new())};
  const bool ok = certificate != nullptr && peer.context != nullptr && peer.trusted != nullptr &&
                  SSL_CTX_use_certificate(peer.context.get(), certificate.get()) == 1 &&
                  SSL_CTX_use_PrivateKey(peer.context.get(), key.get()) == 1 &&
                  X509_STORE_add_cert(peer.trusted.get(), certificate.get()) == 1;
  if (!ok) return Fail(Code::kInternal, "OpenSSL cannot make the self-test's certificate");
  return peer;
}

// Listen gives a socket a name of the kernel's choosing, outside the file system, and returns it. Whoever
// else found it could not show the certificate.
Result<std::string> Listen(const Socket& socket) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socklen_t size = sizeof name;
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  const timeval most{kMostSeconds, 0};
  if (socket.fd < 0 || bind(socket.fd, address, sizeof name.sun_family) != 0 || listen(socket.fd, 1) != 0 ||
      setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) != 0 ||
      getsockname(socket.fd, address, &size) != 0) {
    return Fail(Code::kResourceExhausted, "no Unix socket for the late splice's self-test", errno);
  }
  return std::string(&name.sun_path[1], size - sizeof name.sun_family - 1);
}

}  // namespace

Result<void> Splice::SelfTest() {
  TRY_ASSIGN(const vault::Origin origin, vault::Origin::OfEndpoint(kUrl));
  TRY_ASSIGN(vault::SecretValue key, vault::SecretValue::Allocate(kCanary.size()));
  std::copy(kCanary.begin(), kCanary.end(), key.Bytes(vault::SecretAccess()).begin());
  TRY_ASSIGN(const std::unique_ptr<Splice> splice, Arm(std::move(key), origin));
  TRY_ASSIGN(const Peer peer, MakePeer());
  const Socket listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  TRY_ASSIGN(const std::string name, Listen(listener));

  const Trust trust = Trust::OfStore(peer.trusted.get());
  const Aim aim{origin, trust.StoreFor(origin.host())};
  std::string seen;
  std::thread serving([&seen, &peer, &listener] { seen = Serve(peer.context.get(), listener.fd); });
  const Result<Outcome> outcome = Call(*splice, aim, name);
  shutdown(listener.fd, SHUT_RDWR);
  serving.join();
  TRY(outcome);
  return Judge(*outcome, *splice, seen);
}

}  // namespace strongroom::worker
