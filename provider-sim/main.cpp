#include <CLI/CLI.hpp>

#include "base/command_line.h"
#include "base/process.h"
#include "provider-sim/faults.h"
#include "provider-sim/server.h"

namespace {

std::string Footer() {
  return "Faults:\n" + strongroom::sim::FaultHelp() +
         "\nA prompt can ask for its own: [[fault:500]] always, [[fault:500x2]] at the first 2 sightings of "
         "the call,\n"
         "several in a row take turns; [[latency:1500]] answers after 1.5 s. The prompt wins over the list, "
         "the list\n"
         "over the rates. A call is known by its x-request-id header, else by its prompt. Models whose name "
         "contains\n"
         "no-such are not found. GET /sim/calls counts the calls, GET /sim/stats the answers and "
         "connections,\n"
         "POST /sim/reset starts both again.\n";
}

}  // namespace

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  strongroom::sim::ServerOptions options;
  std::string unused_home;
  CLI::App app(
      "Stands in for Anthropic, OpenAI and Ollama on loopback, with faults on demand. For tests only.",
      "provider-sim");
  app.set_version_flag("--version", "provider-sim " STRONGROOM_VERSION);
  app.footer(Footer());
  app.add_option("--port", options.port, "port on 127.0.0.1 and ::1; 0 takes a free one")->required();
  app.add_option("--tls-dir", options.tls_dir,
                 "serve TLS; ca.pem and a certificate are made here where missing");
  app.add_option("--latency-ms", options.simulator.latency_ms, "wait before every answer to a model call")
      ->check(CLI::Range(0, 120'000));
  app.add_option("--fault", options.simulator.fault_rates, "name:rate,name:rate, as in 429:0.1,timeout:0.01");
  app.add_option("--fault-list", options.simulator.fault_list_path,
                 "file of lines 'nth fault': the nth call of all");
  app.add_option("--seed", options.simulator.seed, "which calls the rates of --fault hit (1)");
  app.add_option("--valid-key-file", options.simulator.valid_key_path,
                 "accept these keys alone, one a line; read again when it changes");
  app.add_option("--home", unused_home, "accepted as by every program; the simulator keeps nothing there");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return strongroom::base::RefuseUsage(strongroom::base::CommandOf(app), error.what());
  }
  const auto rates =
      strongroom::sim::FaultPlan::Make(options.simulator.fault_rates, "", options.simulator.seed);
  if (!rates) return strongroom::base::RefuseUsage("provider-sim", rates.error().Message());
  return strongroom::sim::RunProgram(options);
}
