#include "tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/result.h"

namespace strongroom::worker::test {
namespace {

// Every main ignores SIGPIPE (base/process.h); so does a test that has sockets.
[[maybe_unused]] const auto pipe_ignored = std::signal(SIGPIPE, SIG_IGN);

using KeyPair = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

KeyPair NewKey() {
  return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

void Extend(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(EVP_PKEY* key, const std::string& name, long from, long until) {
  static std::atomic<long> serial = 1;
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), from);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(made.get(), key);
  return made;
}

}  // namespace

struct TestCa::Keys {
  KeyPair key = NewKey();
  Certificate certificate = NewCertificate(key.get(), "test authority", -7200, 7200);
};

TestCa::TestCa() : keys_(std::make_unique<Keys>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "transport-test-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  X509* const own = keys_->certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  Extend(own, NID_basic_constraints, "critical,CA:TRUE");
  CHECK(X509_sign(own, keys_->key.get(), EVP_sha256()) > 0);
  std::FILE* const out = std::fopen(file().c_str(), "w");
  CHECK(out != nullptr && PEM_write_X509(out, own) == 1);
  std::fclose(out);
}

TestCa::~TestCa() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::shared_ptr<ssl_ctx_st> TestCa::Context(const std::string& names, long valid_seconds) const {
  const KeyPair key = NewKey();
  const Certificate leaf = NewCertificate(key.get(), "server", -3600, valid_seconds);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(keys_->certificate.get()));
  Extend(leaf.get(), NID_subject_alt_name, names);
  CHECK(X509_sign(leaf.get(), keys_->key.get(), EVP_sha256()) > 0);
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  CHECK(SSL_CTX_use_certificate(context.get(), leaf.get()) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  return context;
}

Reply Answer(int status, const std::string& body, const std::string& headers) {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
          Reply::Then::kKeep};
}

struct TestServer::Line {
  int fd = -1;
  int number = 0;
  SSL* tls = nullptr;
  std::string unread;
  std::atomic<int> drop = -1;  // a Reply::Then, asked for by DropIdle
  std::atomic<bool> over = false;
  std::thread thread;
};

TestServer::TestServer(std::shared_ptr<ssl_ctx_st> context, Handler handler)
    : context_(std::move(context)), handler_(std::move(handler)) {
  if (!handler_) handler_ = [](const Seen&) { return Answer(200, "{}"); };
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener_, 128) == 0);
  CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  accepting_.join();
  for (auto& line : lines_) line->thread.join();
  close(listener_);
}

std::string TestServer::Url(const std::string& host) const {
  return std::string(context_ != nullptr ? "https://" : "http://") + host + ":" + std::to_string(port_);
}

std::vector<Seen> TestServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void TestServer::DropIdle(Reply::Then how) {
  const int before = closed_;
  int open = 0;
  {
    const std::lock_guard lock(mutex_);
    for (auto& line : lines_) {
      if (line->over) continue;
      line->drop = static_cast<int>(how);
      ++open;
    }
  }
  CHECK(WaitFor([&] { return closed_ >= before + open; }));
}

void TestServer::Accept() {
  while (!stopping_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, 10) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    auto line = std::make_unique<Line>();
    line->fd = fd;
    line->number = ++connections_;
    const std::lock_guard lock(mutex_);
    Line& kept = *lines_.emplace_back(std::move(line));
    kept.thread = std::thread([this, &kept] { Serve(kept); });
  }
}

// Fills `unread` until a whole request is there. Waits in short steps, to hear of DropIdle and of the end.
bool TestServer::ReadRequest(Line& line, Seen& request) {
  std::array<char, 16384> buffer;
  for (;;) {
    const std::size_t head_end = line.unread.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      request.head = line.unread.substr(0, head_end + 4);
      const std::size_t at = request.head.find("Content-Length: ");
      const std::size_t size = at == std::string::npos ? 0 : std::stoul(request.head.substr(at + 16));
      if (line.unread.size() >= head_end + 4 + size) {
        request.body = line.unread.substr(head_end + 4, size);
        line.unread.erase(0, head_end + 4 + size);
        request.connection = line.number;
        return true;
      }
    }
    pollfd ready{line.fd, POLLIN, 0};
    if (line.tls == nullptr || SSL_pending(line.tls) == 0) {
      if (stopping_ || line.drop >= 0) return false;
      if (poll(&ready, 1, 10) <= 0) continue;
    }
    const long got = line.tls != nullptr ? SSL_read(line.tls, buffer.data(), static_cast<int>(buffer.size()))
                                         : recv(line.fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    line.unread.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void TestServer::Finish(Line& line, Reply::Then how) {
  if (how == Reply::Then::kHang) {
    while (!stopping_ && line.drop < 0) poll(nullptr, 0, 10);
  }
  if (how == Reply::Then::kClose && line.tls != nullptr) SSL_shutdown(line.tls);
  if (how == Reply::Then::kDrop) {
    const linger none{1, 0};
    setsockopt(line.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  SSL_free(line.tls);
  close(line.fd);
  line.over = true;
  ++closed_;
}

void TestServer::Serve(Line& line) {
  Reply::Then how = Reply::Then::kCloseSilently;
  bool open = true;
  if (context_ != nullptr) {
    line.tls = SSL_new(context_.get());
    SSL_set_fd(line.tls, line.fd);
    pollfd ready{line.fd, POLLIN, 0};
    while (!stopping_ && poll(&ready, 1, 10) <= 0) continue;
    open = !stopping_ && SSL_accept(line.tls) == 1;
  }
  for (Seen request; open && ReadRequest(line, request); request = {}) {
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    const Reply reply = handler_(request);
    how = reply.then;
    for (std::size_t at = 0; at < reply.bytes.size();) {
      const std::size_t part = std::min<std::size_t>(reply.bytes.size() - at, 16384);
      const long put = line.tls != nullptr
                           ? SSL_write(line.tls, reply.bytes.data() + at, static_cast<int>(part))
                           : send(line.fd, reply.bytes.data() + at, part, MSG_NOSIGNAL);
      if (put <= 0) break;
      at += static_cast<std::size_t>(put);
    }
    open = how == Reply::Then::kKeep;
  }
  if (line.drop >= 0) how = static_cast<Reply::Then>(line.drop.load());
  Finish(line, how);
}

bool WaitFor(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace strongroom::worker::test
