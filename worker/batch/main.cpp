// batch: the command line.
#include <CLI/CLI.hpp>

#include "base/command_line.h"
#include "base/process.h"
#include "worker/batch/commands.h"

int main(int argc, char** argv) {
  using namespace strongroom;
  base::HardenProcess();
  CLI::App app("Sends a JSONL file of prompts through the queue and collects the replies.", "batch");
  app.set_version_flag("--version", "batch " STRONGROOM_VERSION);
  app.require_subcommand(1);
  worker::SubmitOptions submit;
  std::string batch_id;
  bool replay = false;
  CLI::App* send = app.add_subcommand("submit", "send every row of FILE and write the replies, in input order");
  send->add_option("FILE", submit.file, "JSONL: {\"id\": any, \"prompt\": \"...\", \"system_prompt\"?, \"max_tokens\"?}")->required();
  send->add_option("--customer", submit.customer, "the customer who owns the profile")->required();
  send->add_option("--profile", submit.profile_ref, "PROFILE_REF")->required();
  send->add_option("--in-flight", submit.in_flight, "requests at once")->check(CLI::Range(1, 4096))->capture_default_str();
  send->add_option("--out", submit.output, "where the replies go (FILE's name with .out.jsonl)");
  send->add_option("--timeout-ms", submit.timeout_ms, "a row's deadline (else strongroom.toml)")->check(CLI::Range(1, 3600000));

  CLI::App* status = app.add_subcommand("status", "list batches, or show one");
  status->add_option("BATCH_ID", batch_id, "one batch");
  CLI::App* resume = app.add_subcommand("resume", "send again what has no reply, and finish the batch");
  resume->add_option("BATCH_ID", batch_id, "as `batch status` lists it")->required();
  resume->add_flag("--replay", replay, "send rows that ended in PROVIDER_AUTH once more: after a key was replaced");
  for (CLI::App* place : {&app, send, status, resume}) {  // before the subcommand and after it
    place->add_option("--home", submit.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
    place->add_flag("--json", submit.json, "print facts as JSON");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return base::RefuseUsage(base::CommandOf(app), base::UnknownCommand(app, error.what()));
  }
  if (send->parsed()) return worker::BatchSubmit(submit);
  if (status->parsed()) return worker::BatchStatus(submit.home, batch_id, submit.json);
  return worker::BatchResume(submit.home, batch_id, replay, submit.json);
}
