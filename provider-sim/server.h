// The simulator's sockets: one thread, one event loop, loopback only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "provider-sim/simulator.h"

namespace strongroom::sim {

// ServerOptions are all the flags of provider-sim.
struct ServerOptions {
  std::uint16_t port = 0;  // 0: a free one
  std::string tls_dir;     // empty: plain http
  SimulatorOptions simulator;
};

// Server listens from Start on and serves while Run runs.
class Server {
 public:
  // Start binds 127.0.0.1, and ::1 where the machine has it. kUnavailable where the port is taken.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();

  // Url is "https://127.0.0.1:PORT", or http:// without TLS.
  std::string Url() const;
  std::uint16_t port() const;

  // Run serves until Stop, SIGTERM or SIGINT; what is in flight is dropped.
  void Run();
  // Stop ends Run from any thread.
  void Stop();

 private:
  struct Loop;
  explicit Server(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

// RunProgram is provider-sim after its arguments: it serves, says where on stdout, and returns the exit code.
int RunProgram(const ServerOptions& options);

}  // namespace strongroom::sim
