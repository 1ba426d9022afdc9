// worker: the command line.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/command_line.h"
#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "vault/arena.h"
#include "worker/worker.h"

int main(int argc, char** argv) {
  using namespace strongroom;
  base::HardenProcess();
  CLI::App app("Takes requests from the queue, asks vaultd for the key, calls the provider, and replies.", "worker");
  std::string home, probe, endpoint, api_version;
  std::int64_t in_flight = 0;
  app.add_option("--home", home, "the vault's home (else STRONGROOM_HOME, else /var/lib/strongroom)");
  app.add_option("--in-flight", in_flight, "calls at once (else strongroom.toml, 256)")->check(CLI::Range(1, 4096));
  app.add_option("--probe", probe, "check one KEY_REF with its provider, print the answer, and exit (admins only)");
  app.add_option("--endpoint", endpoint, "with --probe: the endpoint whose path to use");
  app.add_option("--api-version", api_version, "with --probe: the provider's API version");
  app.set_version_flag("--version", "worker " STRONGROOM_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return base::RefuseUsage(base::CommandOf(app), error.what());
  }
  const auto config = base::LoadConfig(base::FindHome(home));
  if (!config) {
    std::fprintf(stderr, "worker: %s\n", config.error().text.c_str());
    return 1;
  }
  Result<void> ready = vault::Arena::Open();
  if (ready && probe.empty()) ready = base::OpenLog(config->log.destination, "worker");
  if (!ready) {
    std::fprintf(stderr, "worker: %s\n", ready.error().Message().c_str());
    return 1;
  }
  if (!probe.empty()) return worker::RunProbe(*config, probe, endpoint, api_version);
  return worker::RunWorker(*config, in_flight > 0 ? in_flight : config->worker.in_flight);
}
