// After a call, and while it waits for its answer, no copy of the key is in this process's readable memory.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tls_server.h"
#include "transport_client.h"

#include <catch2/catch.hpp>

namespace strongroom::worker {
namespace {

constexpr std::uint8_t kMask = 0x5A;

// MaskedKey is the canary as it may lie in memory. Its plain form is made in the secret itself, byte by byte.
std::vector<std::uint8_t> MaskedKey() {
  std::vector<std::uint8_t> masked;
  for (std::uint8_t i = 0; i < 64; ++i)
    masked.push_back(static_cast<std::uint8_t>((0x30 + (i * 29 + 11) % 70) ^ kMask));
  return masked;
}

KeyToSend UnmaskedKey(const std::vector<std::uint8_t>& masked, const std::string& url) {
  vault::SecretValue key = vault::SecretProbe::Of(masked);
  for (std::uint8_t& byte : vault::SecretProbe::Writable(key)) byte ^= kMask;
  return KeyToSend(std::move(key), *vault::Origin::OfEndpoint(url));
}

// Any 16 bytes of the key count as a copy.
bool IsFragmentAt(const char* at, const char* end, const std::vector<std::uint8_t>& masked,
                  std::size_t from) {
  if (end - at < 16) return false;
  for (std::size_t i = 0; i < 16; ++i) {
    if ((static_cast<std::uint8_t>(at[i]) ^ kMask) != masked[from + i]) return false;
  }
  return true;
}

int CountIn(const char* memory, std::size_t size, const std::vector<std::uint8_t>& masked) {
  int count = 0;
  const char* const end = memory + size;
  for (const std::size_t from : {0UL, 16UL, 32UL, 48UL}) {
    const int first = masked[from] ^ kMask;
    for (const char* at = memory; at < end; ++at) {
      at = static_cast<const char*>(memchr(at, first, static_cast<std::size_t>(end - at)));
      if (at == nullptr) break;
      if (IsFragmentAt(at, end, masked, from)) ++count;
    }
  }
  return count;
}

// Memory is read through /proc/self/mem, in overlapping pieces, into one buffer that is left out of the
// count. A secret mapping cannot be read so.
int CopiesInMemory(const std::vector<std::uint8_t>& masked) {
  constexpr std::size_t kPiece = 1 << 20, kOverlap = 15;
  static std::vector<char> buffer(kPiece + kOverlap);
  std::ifstream maps("/proc/self/maps");
  const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' || mode[1] != 'w')
      continue;
    const auto own = reinterpret_cast<unsigned long>(buffer.data());
    for (unsigned long at = from; at < to; at += kPiece) {
      const ssize_t got =
          pread(mem, buffer.data(), std::min<std::size_t>(to - at, buffer.size()), static_cast<off_t>(at));
      if (got <= 0) break;  // nobody may read it, or nothing is there
      if (at >= own + buffer.size() || at + static_cast<std::size_t>(got) <= own) {
        count += CountIn(buffer.data(), static_cast<std::size_t>(got), masked);
      }
    }
  }
  close(mem);
  explicit_bzero(buffer.data(), buffer.size());
  return count;
}

// ServerProcess serves from another process, whose memory is its own affair.
class ServerProcess {
 public:
  explicit ServerProcess(const test::TestCa& ca) {
    int ready[2] = {-1, -1};
    REQUIRE(pipe(ready) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Serve(ca, ready[1]);
      _exit(0);
    }
    std::uint16_t port = 0;
    REQUIRE(read(ready[0], &port, sizeof port) == sizeof port);
    url_ = "https://127.0.0.1:" + std::to_string(port);
    close(ready[0]);
    close(ready[1]);
  }
  ~ServerProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  const std::string& url() const { return url_; }

 private:
  static void Serve(const test::TestCa& ca, int ready) {
    const std::vector<std::uint8_t> masked = MaskedKey();
    std::string key(masked.begin(), masked.end());
    for (char& byte : key) byte = static_cast<char>(byte ^ kMask);
    test::TestServer server(ca.Context("IP:127.0.0.1"), [key](const test::Seen& seen) {
      const bool right = seen.head.find(": " + key + "\r\n") != std::string::npos ||
                         seen.head.find("Bearer " + key + "\r\n") != std::string::npos;
      if (seen.body.starts_with("hang")) return test::Reply{"", test::Reply::Then::kHang};
      if (seen.body.starts_with("lose")) return test::Reply{"", test::Reply::Then::kDrop};
      return test::Answer(right ? 200 : 401, "{}");
    });
    const std::uint16_t port = server.port();
    if (write(ready, &port, sizeof port) != sizeof port) return;
    for (;;) pause();
  }
  pid_t pid_ = -1;
  std::string url_;
};

TEST_CASE("no copy of the key stays in memory, nor lies there during the call", "[transport][memory][native]") {
  test::TestCa ca;
  const ServerProcess server(ca);
  const std::vector<std::uint8_t> masked = MaskedKey();
  {
    // The search itself must find what is there.
    std::vector<std::uint8_t> plain = masked;
    for (std::uint8_t& byte : plain) byte ^= kMask;
    REQUIRE(CopiesInMemory(masked) >= 4);
    explicit_bzero(plain.data(), plain.size());
  }
  REQUIRE(CopiesInMemory(masked) == 0);
  test::Client client({ca.file()});
  for (const auto header : {KeyHeader::kApiKey, KeyHeader::kBearer}) {
    for (const std::size_t size : {2UL, 1024UL, 20000UL, 300000UL}) {
      const auto answer = client.Send(test::Post(server.url() + "/v1", header, std::string(size, 'b')),
                                      UnmaskedKey(masked, server.url()));
      REQUIRE(answer);
      REQUIRE(answer->status == 200);
      REQUIRE(CopiesInMemory(masked) == 0);
    }
    for (const std::string what : {"hang", "lose"}) {
      const auto result =
          client.Begin(test::Post(server.url() + "/v1", header, what + std::string(20000, 'b')),
                       UnmaskedKey(masked, server.url()), 300 * base::kMicrosPerMilli);
      client.io.restart();
      client.io.run_for(std::chrono::milliseconds(150));
      REQUIRE(CopiesInMemory(masked) == 0);
      client.io.run();
      REQUIRE_FALSE(**result);
      REQUIRE(CopiesInMemory(masked) == 0);
    }
  }
}

}  // namespace
}  // namespace strongroom::worker
