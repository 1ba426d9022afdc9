// House: a whole Strongroom in a temporary directory: a home, vaultd, workers, provider-sim, and the way to
// talk to them from outside: command lines, the work database's queues, and provider-sim's own account of
// what it saw.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/database.h"
#include "tests/e2e/process.h"

namespace strongroom::e2e {

// SimOptions: extra arguments (--latency-ms, --fault …), and whether it serves TLS.
struct SimOptions {
  std::vector<std::string> arguments = {};
  bool tls = true;
};

// Sim is one running provider-sim, with a valid-key file that the house shares.
class Sim {
 public:
  Sim() = default;
  const std::string& endpoint() const { return endpoint_; }  // https://127.0.0.1:PORT
  Process& process() { return process_; }
  // Calls is GET /sim/calls: how often each request was seen. Empty where nothing answers.
  std::map<std::string, std::int64_t> Calls() const;
  std::int64_t CallsOf(const std::string& request_id) const;
  std::int64_t CallsInAll() const;
  // Total is how many model calls and probes the answers of GET /sim/stats account for.
  std::int64_t Answers() const;

 private:
  friend class House;
  Process process_;
  std::string endpoint_, ca_file_;
  int port_ = 0;
};

class House {
 public:
  // Empty makes a temporary directory, and no home in it.
  House();
  House(const House&) = delete;
  ~House();

  const std::string& home() const { return home_; }
  // Path names a file in the temporary directory, outside the home.
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  // Commands. --home is added in front of the arguments.
  Ended Command(const std::string& program, const std::vector<std::string>& arguments,
                const std::string& input = "");
  Ended Keytool(const std::vector<std::string>& arguments, const std::string& input = "") {
    return Command("keytool", arguments, input);
  }
  // Act is Keytool with a reason added.
  Ended Act(std::vector<std::string> arguments);
  Ended Auditlog(const std::vector<std::string>& arguments) { return Command("auditlog", arguments); }
  Ended Batch(const std::vector<std::string>& arguments) { return Command("batch", arguments); }
  // Trail is the records that `auditlog search` finds, one JSON object each.
  std::vector<std::string> Trail(const std::vector<std::string>& conditions);

  // Init runs keytool init, and shortens leases to 1 s so that crashes are noticed soon.
  void Init();
  void StartVaultd(const std::map<std::string, std::string>& environment = {});
  // RunVaultd is StartVaultd of one that may die at any moment: it returns once vaultd answers or has ended.
  bool RunVaultd(const std::map<std::string, std::string>& environment);
  // StartWorker starts worker number 0, 1 …
  void StartWorker(std::size_t number = 0, const std::map<std::string, std::string>& environment = {},
                   const std::vector<std::string>& arguments = {});
  // StartSim starts provider-sim on a free port and puts its CA into strongroom.toml. `same_port` takes the
  // port of the simulator that was there before.
  void StartSim(const SimOptions& options = {}, bool same_port = false);
  std::unique_ptr<Sim> MakeSim(const SimOptions& options, int port = 0);
  Process Spawn(const std::string& program, const std::vector<std::string>& arguments,
                const std::map<std::string, std::string>& environment = {});

  Process& vaultd() { return vaultd_; }
  Process& worker(std::size_t number = 0) { return workers_[number]; }
  Sim& sim() { return *sim_; }

  // NewKey makes a key that provider-sim takes, in a file; KeyFile is its path, KeyText what it holds.
  std::string NewKey(const std::string& name);
  // WriteKey makes a key file (0600) with any content, which provider-sim does not take.
  void WriteKey(const std::string& name, const std::string& text);
  std::string KeyFile(const std::string& name) const { return Path("keys/" + name); }
  std::string KeyText(const std::string& name) const { return ReadWhole(KeyFile(name)); }
  void ForgetKey(const std::string& name);  // provider-sim refuses it from now on

  // Onboard gives a customer a key and the profile CUSTOMER_DEFAULT.
  void Onboard(const std::string& customer, const std::string& provider = "anthropic",
               const std::string& model = "claude-sonnet-4-5");
  // Ready is all of it: init, simulator, vaultd, one worker, and ACME's key at anthropic.
  void Ready(const SimOptions& options = {});

  // SetConfig replaces `key = …` in strongroom.toml (the first line that begins so).
  void SetConfig(const std::string& key, const std::string& value);

  // The work database's queues.
  void Send(const std::string& message);
  // SendRequest sends a request of ACME; `extra` is JSON fields to add or replace, such as {"max_tokens":5}.
  void SendRequest(const std::string& request_id, const std::string& prompt, const std::string& extra = "{}");
  // AwaitReply takes the reply of a request from its reply queue; empty where none comes in time.
  std::string AwaitReply(const std::string& request_id, int seconds = kPatience);
  // TakeReply is AwaitReply without the wait.
  std::string TakeReply(const std::string& request_id);
  // Ask is SendRequest and AwaitReply.
  std::string Ask(const std::string& request_id, const std::string& prompt, const std::string& extra = "{}");
  bool QueueEmpty();

  sql::Database& work();
  // ForgetWork closes the connection of work(): the home is about to go.
  void ForgetWork() { work_.reset(); }
  // Vault opens vault.db for an edit behind vaultd's back.
  std::unique_ptr<sql::Database> Vault();
  std::int64_t Number(sql::Database& database, sql::Sql text,
                      std::initializer_list<sql::Parameter> parameters = {});
  std::string Text(sql::Database& database, sql::Sql text,
                   std::initializer_list<sql::Parameter> parameters = {});

  // Prompts writes a JSONL file of `rows` short prompts and returns its path; every `nth` has `directive` in
  // it.
  std::string Prompts(const std::string& name, int rows, const std::string& directive = "", int nth = 0);

 private:
  std::string Stem(const std::string& program);

  std::string directory_, home_;
  int commands_ = 0;
  std::unique_ptr<sql::Database> work_;
  Process vaultd_;
  std::map<std::size_t, Process> workers_;
  std::unique_ptr<Sim> sim_;
};

// RequestMessage is a whole version 1.0 request of ACME's ACME_DEFAULT, replies to T/R.
std::string RequestMessage(const std::string& request_id, const std::string& prompt,
                           const std::string& extra = "{}");
// Field is a reply's field as text: a string as it is, anything else as JSON, empty where there is none.
std::string Field(const std::string& json, const std::string& name);

}  // namespace strongroom::e2e
