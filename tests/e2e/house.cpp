
#include "tests/e2e/house.h"

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace strongroom::e2e {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

std::string RandomHex(int digits) {
  std::random_device random;
  std::string out;
  for (int i = 0; i < digits; ++i) out += "0123456789abcdef"[random() % 16];
  return out;
}

}  // namespace

House::House() : directory_((fs::temp_directory_path() / ("strongroom-e2e-" + RandomHex(12))).string()) {
  fs::create_directory(directory_);
  fs::create_directory(directory_ + "/keys");
  fs::create_directory(directory_ + "/run");
  WriteWhole(directory_ + "/keys/valid", "");
  fs::permissions(directory_, fs::perms::owner_all);
  home_ = directory_ + "/home";
}

House::~House() {
  work_.reset();
  workers_.clear();
  vaultd_ = Process();
  sim_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string House::Stem(const std::string& program) {
  return Path("run/" + std::to_string(commands_++) + "-" + fs::path(program).filename().string());
}

Ended House::Command(const std::string& program, const std::vector<std::string>& arguments,
                     const std::string& input) {
  std::vector<std::string> all = {"--home", home_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return Run({program, all, {}, input}, Stem(program));
}

Ended House::Act(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--reason", "end-to-end test"});
  return Keytool(arguments);
}

std::vector<std::string> House::Trail(const std::vector<std::string>& conditions) {
  std::vector<std::string> arguments = {"search", "--json", "--limit", "1000000"};
  arguments.insert(arguments.end(), conditions.begin(), conditions.end());
  const Ended found = Auditlog(arguments);
  INFO(found.err);
  REQUIRE(found.code == 0);
  // But for the readings themselves.
  auto records = Lines(found.out);
  std::erase_if(records, [](const std::string& record) { return record.starts_with(R"({"action":"read_trail")"); });
  return records;
}

void House::Init() {
  const Ended made = Keytool({"init"});
  INFO(made.out << made.err);
  REQUIRE(made.code == 0);
  SetConfig("lease_ms", "1000");
}

Process House::Spawn(const std::string& program, const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment) {
  std::vector<std::string> all = {"--home", home_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return Process({program, all, environment}, Stem(program));
}

bool House::RunVaultd(const std::map<std::string, std::string>& environment) {
  vaultd_ = Spawn("vaultd", {"--foreground"}, environment);
  return Eventually([this] { return !vaultd_.running() || Keytool({"status"}).code == 0; });
}

void House::StartVaultd(const std::map<std::string, std::string>& environment) {
  const bool up = RunVaultd(environment);
  INFO("vaultd: " << vaultd_.Err() << "; status: " << Keytool({"status"}).err);
  REQUIRE(up);
  REQUIRE(vaultd_.running());
}

void House::StartWorker(std::size_t number, const std::map<std::string, std::string>& environment,
                        const std::vector<std::string>& arguments) {
  workers_[number] = Spawn("worker", arguments, environment);
  const bool up =
      Eventually([&] { return !workers_[number].running() || Has(workers_[number].Err(), "worker_start"); });
  INFO("worker: " << workers_[number].Err());
  REQUIRE(up);
  REQUIRE(workers_[number].running());
}

void House::StartSim(const SimOptions& options, bool same_port) {
  int port = 0;
  if (same_port && sim_) port = sim_->port_;
  sim_.reset();
  sim_ = MakeSim(options, port);
  if (options.tls) SetConfig("ca_file", "\"" + Path("tls/ca.pem") + "\"");
}

std::unique_ptr<Sim> House::MakeSim(const SimOptions& options, int port) {
  auto sim = std::make_unique<Sim>();
  std::vector<std::string> arguments = {"--port", std::to_string(port), "--valid-key-file",
                                        Path("keys/valid")};
  if (options.tls) arguments.insert(arguments.end(), {"--tls-dir", Path("tls")});
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  const std::string scheme = options.tls ? "https://" : "http://";
  const auto address = [&] {
    const std::string out = sim->process_.Out() + sim->process_.Err();
    const std::size_t at = out.find(scheme);
    const std::size_t end = at == std::string::npos ? at : out.find_first_of(" \n,", at);
    return end == std::string::npos ? std::string() : out.substr(at, end - at);
  };
  sim->process_ = Process({"provider-sim", arguments}, Stem("provider-sim"));
  const bool up = Eventually([&] { return !sim->process_.running() || !address().empty(); });
  INFO(sim->process_.Out() << sim->process_.Err());
  REQUIRE(up);
  REQUIRE(sim->process_.running());
  sim->endpoint_ = address();
  sim->ca_file_ = options.tls ? Path("tls/ca.pem") : "";
  sim->port_ = std::stoi(sim->endpoint_.substr(sim->endpoint_.rfind(':') + 1));
  return sim;
}

void House::WriteKey(const std::string& name, const std::string& text) {
  WriteWhole(KeyFile(name), text);
  fs::permissions(KeyFile(name), fs::perms::owner_read | fs::perms::owner_write);
}

std::string House::NewKey(const std::string& name) {
  const std::string key = "sk-e2e-" + RandomHex(48);
  WriteKey(name, key);
  std::ofstream(KeyFile("valid"), std::ios::app) << key << '\n';
  return KeyFile(name);
}

void House::ForgetKey(const std::string& name) {
  std::string rest;
  for (const std::string& line : Lines(KeyText("valid"))) {
    if (line != KeyText(name)) rest += line + "\n";
  }
  WriteWhole(KeyFile("valid"), rest);
}

void House::Onboard(const std::string& customer, const std::string& provider, const std::string& model) {
  std::vector<std::string> arguments = {"onboard", customer, "--provider", provider,
                                        "--model", model,    "--endpoint", sim_->endpoint()};
  if (provider != "ollama") arguments.insert(arguments.end(), {"--key-file", NewKey(customer)});
  const Ended done = Act(arguments);
  INFO(done.out << done.err);
  REQUIRE(done.code == 0);
}

void House::Ready(const SimOptions& options) {
  Init();
  StartSim(options);
  StartVaultd();
  Onboard("ACME");
  StartWorker();
}

void House::SetConfig(const std::string& key, const std::string& value) {
  std::string text;
  bool found = false;
  for (const std::string& line : Lines(ReadWhole(home_ + "/strongroom.toml"))) {
    const bool this_one = !found && line.starts_with(key) && line.find_first_of(" =") == key.size();
    text += this_one ? key + " = " + value + "\n" : line + "\n";
    found = found || this_one;
  }
  REQUIRE(found);
  WriteWhole(home_ + "/strongroom.toml", text);
}

std::string House::Prompts(const std::string& name, int rows, const std::string& directive, int nth) {
  std::string text;
  for (int row = 1; row <= rows; ++row) {
    const bool marked = nth > 0 && row % nth == 0;
    Json line;
    line["id"] = row;
    line["prompt"] =
        "Question " + std::to_string(row) + " of " + name + "?" + (marked ? " " + directive : "");
    text += line.dump() + "\n";
  }
  WriteWhole(Path(name), text);
  return Path(name);
}

}  // namespace strongroom::e2e
