// worker: the command line.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/command_line.h"
#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "vault/arena.h"
#include "worker/splice.h"
#include "worker/worker.h"

namespace {

constexpr const char* kFooter =
    "Environment, each winning over strongroom.toml:\n"
    "  K3SAI_INBOUND_LIB    library of the inbound queue (K3SAI)\n"
    "  K3SAI_INBOUND_QUEUE  its name (AIOUTQ)\n"
    "  K3SAI_TIMEOUT_MS     a request's deadline where it names none (60000)\n"
    "  K3SAI_MAX_RETRIES    calls a request, retries included (5)\n"
    "  K3SAI_USAGE_TABLE    K3SAI.USAGE_LOG or USAGE_LOG, which are one table; no other name is taken\n"
    "  K3SAI_RECYCLE_AFTER  exit cleanly after so many requests (never)\n"
    "  K3SAI_LOG_DEST       stderr, or a directory for daily files\n"
    "Signals: SIGTERM or SIGINT: claim no more, finish what is in flight (60 s at most), exit 0.\n"
    "SIGHUP: read [worker] of strongroom.toml again and forget the profiles.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage.";

}  // namespace

int main(int argc, char** argv) {
  using namespace strongroom;
  base::HardenProcess();
  CLI::App app("Takes requests from the queue, asks vaultd for the key, calls the provider, and replies.", "worker");
  std::string home, probe;
  worker::ProbeRoute route;
  std::int64_t in_flight = 0;
  app.add_option("--home", home, "the vault's home (else STRONGROOM_HOME, else /var/lib/strongroom)");
  app.add_option("--in-flight", in_flight, "calls at once (else strongroom.toml, 256)")->check(CLI::Range(1, 4096));
  app.add_option("--probe", probe, "check one KEY_REF with its provider, print the answer, and exit (admins only)")->check(base::NotEmpty);
  app.add_option("--endpoint", route.endpoint, "with --probe: the endpoint whose path to use");
  app.add_option("--api-version", route.api_version, "with --probe: the provider's API version");
  app.add_option("--model", route.model, "with --probe: the key must have this model too");
  app.set_version_flag("--version", "worker " STRONGROOM_VERSION);
  app.footer(kFooter);
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
  Result<void> ready = vault::Arena::Open(worker::Splice::kScratchBytes);
  if (ready && probe.empty()) ready = base::OpenLog(config->log.destination, "worker");
  if (!ready) {
    std::fprintf(stderr, "worker: %s\n", ready.error().Message().c_str());
    return 1;
  }
  if (!probe.empty()) return worker::RunProbe(*config, probe, route);
  return worker::RunWorker(*config, in_flight > 0 ? in_flight : config->worker.in_flight);
}
