#include "base/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>

#include "base/files.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace strongroom::base {
namespace {

constexpr std::int64_t kMostDays = 36'500;

// Reader walks one table, remembers which keys were asked for, and keeps the first problem it meets.
class Reader {
 public:
  Reader(const std::string& file, const toml::table* table, std::string section, std::optional<ConfigProblem>& problem)
      : file_(file), table_(table), section_(std::move(section)), problem_(problem) {}
  ~Reader() {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (!known_.contains(std::string(key.str()))) Complain(node, std::string(key.str()), "unknown key");
    }
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void Text(const char* key, std::string& value) {
    if (const toml::node* node = Find(key)) {
      if (const auto text = node->value_exact<std::string>()) value = *text;
      else Complain(*node, key, "must be a string");
    }
  }
  void Flag(const char* key, bool& value) {
    if (const toml::node* node = Find(key)) {
      if (const auto flag = node->value_exact<bool>()) value = *flag;
      else Complain(*node, key, "must be true or false");
    }
  }
  void Number(const char* key, std::int64_t& value, std::int64_t least, std::int64_t most) {
    if (const toml::node* node = Find(key)) {
      const auto number = node->value_exact<std::int64_t>();
      if (number && *number >= least && *number <= most) value = *number;
      else Complain(*node, key, "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
  }
  // Numbers takes every key of the table.
  void Numbers(std::map<std::string, std::int64_t>& values, std::int64_t least, std::int64_t most) {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      const std::string name(key.str());
      Number(name.c_str(), values[name], least, most);
    }
  }
  void Texts(const char* key, std::vector<std::string>& values) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) return Complain(*node, key, "must be a list of strings");
    values.clear();
    for (const toml::node& item : *list) {
      const auto text = item.value_exact<std::string>();
      if (!text || text->empty()) return Complain(item, key, "must be a list of strings");
      values.push_back(*text);
    }
  }
  const toml::table* Table(const char* key) {
    const toml::node* node = Find(key);
    if (node == nullptr) return nullptr;
    if (node->as_table() == nullptr) Complain(*node, key, "must be a [table]");
    return node->as_table();
  }

 private:
  const toml::node* Find(const char* key) {
    known_.insert(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  void Complain(const toml::node& node, const std::string& key, const std::string& what) {
    if (problem_) return;
    problem_ = ConfigProblem{file_ + ":" + std::to_string(node.source().begin.line) + ": " +
                             (section_.empty() ? key : section_ + "." + key) + ": " + what};
  }

  const std::string& file_;
  const toml::table* table_;
  std::string section_;
  std::optional<ConfigProblem>& problem_;
  std::set<std::string> known_;
};

void ReadSections(const std::string& file, const toml::table& root, Config& config,
                  std::optional<ConfigProblem>& problem) {
  Reader top(file, &root, "", problem);
  top.Text("database", config.database);
  top.Text("queue", config.queue);
  {
    Reader vault(file, top.Table("vault"), "vault", problem);
    vault.Text("socket", config.vault.socket);
    vault.Text("database", config.vault.database);
    vault.Text("kek", config.vault.kek_path);
    vault.Text("credential", config.vault.credential);
    vault.Text("pkcs11_module", config.vault.pkcs11_module);
    vault.Text("pkcs11_uri", config.vault.pkcs11_uri);
    vault.Text("pkcs11_pin_file", config.vault.pkcs11_pin_path);
    vault.Text("pkcs11_pin_credential", config.vault.pkcs11_pin_credential);
    vault.Number("pkcs11_timeout_ms", config.vault.pkcs11_timeout_ms, 100, 600'000);
    vault.Text("user", config.vault.user);
    vault.Flag("single_user", config.vault.single_user);
    vault.Number("keys_per_minute", config.vault.keys_per_minute, 1, 1'000'000);
    vault.Number("releases_per_minute", config.vault.releases_per_minute, 0, 1'000'000'000);
    vault.Number("suspect_after", config.vault.suspect_after, 1, 1000);
    vault.Number("suspect_within_seconds", config.vault.suspect_within_seconds, 1, 86'400);
  }
  {
    Reader roles(file, top.Table("roles"), "roles", problem);
    roles.Texts("admin", config.roles.admin);
    roles.Texts("worker", config.roles.worker);
    roles.Texts("auditor", config.roles.auditor);
  }
  {
    Reader audit(file, top.Table("audit"), "audit", problem);
    audit.Text("organization", config.audit.organization);
    audit.Text("checkpoints", config.audit.checkpoints);
    audit.Number("publish_seconds", config.audit.publish_seconds, 1, 86'400);
    audit.Number("heartbeat_seconds", config.audit.heartbeat_seconds, 1, 86'400);
    audit.Number("retention_days", config.audit.retention_days, 0, kMostDays);
  }
  {
    Reader rotation(file, top.Table("rotation"), "rotation", problem);
    rotation.Number("days", config.rotation.days, 0, kMostDays);
    Reader customers(file, rotation.Table("customers"), "rotation.customers", problem);
    customers.Numbers(config.rotation.customers, 0, kMostDays);
  }
  {
    Reader provider(file, top.Table("provider"), "provider", problem);
    provider.Text("ca_file", config.provider.ca_file);
    provider.Flag("allow_http", config.provider.allow_http);
  }
  {
    Reader worker(file, top.Table("worker"), "worker", problem);
    worker.Number("in_flight", config.worker.in_flight, 1, 4096);
    worker.Number("timeout_ms", config.worker.timeout_ms, 1, 3'600'000);
    worker.Number("max_attempts", config.worker.max_attempts, 1, 20);
    worker.Number("lease_ms", config.worker.lease_ms, 1'000, 600'000);
    worker.Number("recycle_after", config.worker.recycle_after, 0, INT64_MAX);
  }
  Reader log(file, top.Table("log"), "log", problem);
  log.Text("destination", config.log.destination);
}

void EnvText(const char* name, std::string& value) {
  if (const char* text = std::getenv(name); text != nullptr && *text != '\0') value = text;
}

bool EnvNumber(const char* name, std::int64_t& value, std::int64_t least, std::int64_t most,
               std::optional<ConfigProblem>& problem) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return true;
  const std::string_view view(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  if (error == std::errc{} && end == view.data() + view.size() && number >= least && number <= most) {
    value = number;
    return true;
  }
  problem = ConfigProblem{std::string("environment variable ") + name + ": must be a number from " +
                          std::to_string(least) + " to " + std::to_string(most)};
  return false;
}

// The environment wins over the file (INTERFACES §4).
void ApplyEnvironment(Config& config, std::optional<ConfigProblem>& problem) {
  EnvText("K3SAI_INBOUND_LIB", config.worker.inbound_library);
  EnvText("K3SAI_INBOUND_QUEUE", config.worker.inbound_queue);
  EnvText("K3SAI_LOG_DEST", config.log.destination);
  std::string usage_table;
  EnvText("K3SAI_USAGE_TABLE", usage_table);
  if (!usage_table.empty() && usage_table != "K3SAI.USAGE_LOG" && usage_table != "USAGE_LOG") {
    problem = ConfigProblem{"environment variable K3SAI_USAGE_TABLE: calls are recorded in K3SAI.USAGE_LOG (USAGE_LOG) "
                            "and in no other table; unset it"};
  }
  EnvText("K3SAI_KEK_PATH", config.vault.kek_path);
  EnvText("CREDENTIALS_DIRECTORY", config.vault.credential_path);
  EnvNumber("K3SAI_TIMEOUT_MS", config.worker.timeout_ms, 1, 3'600'000, problem);
  EnvNumber("K3SAI_MAX_RETRIES", config.worker.max_attempts, 1, 20, problem);
  EnvNumber("K3SAI_RECYCLE_AFTER", config.worker.recycle_after, 0, INT64_MAX, problem);
}

std::string Absolute(const std::string& home, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(home) / path).lexically_normal().string();
}

// "sqlite:strongroom.db" → "sqlite:/home/strongroom.db"; odbc: strings stay.
std::string AbsoluteDatabase(const std::string& home, const std::string& database) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (!database.starts_with(kSqlite)) return database;
  return std::string(kSqlite) + Absolute(home, database.substr(kSqlite.size()));
}

bool Resolve(Config& config, const std::string& file, std::optional<ConfigProblem>& problem) {
  if (config.queue != "database") {
    problem = ConfigProblem{file + ": queue: only \"database\" is supported by this version"};
    return false;
  }
  for (const std::string* database : {&config.database, &config.vault.database}) {
    if (database->starts_with("sqlite:") || database->starts_with("odbc:")) continue;
    problem = ConfigProblem{file + ": database: must begin with \"sqlite:\" or \"odbc:\""};
    return false;
  }
  if (config.vault.kek_path.starts_with("file:")) config.vault.kek_path.erase(0, 5);
  config.database = AbsoluteDatabase(config.home, config.database);
  config.vault.database = AbsoluteDatabase(config.home, config.vault.database);
  for (const std::string* name : {&config.vault.credential, &config.vault.pkcs11_pin_credential}) {
    if (!name->empty() && name->find('/') == std::string::npos) continue;
    problem = ConfigProblem{file + ": credential and pkcs11_pin_credential must be names, as in LoadCredential=NAME:PATH"};
    return false;
  }
  if (!IsOrganization(config.audit.organization)) {
    problem = ConfigProblem{file + ": audit.organization: must be a name of 1 to 64 letters, digits, dots, hyphens and underscores, such as a domain"};
    return false;
  }
  config.audit.checkpoints = Absolute(config.home, config.audit.checkpoints);
  std::string& credential_path = config.vault.credential_path;
  std::string& pin_path = config.vault.pkcs11_pin_path;
  if (!credential_path.empty() && pin_path.empty()) pin_path = credential_path + "/" + config.vault.pkcs11_pin_credential;
  if (!credential_path.empty()) credential_path += "/" + config.vault.credential;
  pin_path = Absolute(config.home, pin_path);
  config.vault.pkcs11_module = Absolute(config.home, config.vault.pkcs11_module);
  config.vault.socket = Absolute(config.home, config.vault.socket);
  config.vault.kek_path = Absolute(config.home, config.vault.kek_path);
  config.provider.ca_file = Absolute(config.home, config.provider.ca_file);
  if (config.log.destination != "stderr") config.log.destination = Absolute(config.home, config.log.destination);
  return true;
}

// A TOML basic string. toml.io, v1.0.0: Basic strings.
std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 15U];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

bool IsOrganization(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, plain);
}

std::string FindHome(const std::string& flag) {
  std::string home = flag;
  if (home.empty()) EnvText("STRONGROOM_HOME", home);
  if (home.empty()) home = "/var/lib/strongroom";
  std::error_code error;
  const auto absolute = std::filesystem::absolute(home, error).lexically_normal();
  if (error) return home;
  std::string text = absolute.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::expected<Config, ConfigProblem> LoadConfig(const std::string& home) {
  const std::string file = home + "/strongroom.toml";
  constexpr std::size_t kMostBytes = 1 << 20;
  const auto content = ReadFile(file, kMostBytes);
  if (!content && content.error().code() == Code::kNotFound) {
    return std::unexpected(ConfigProblem{"no " + file + ": run `keytool init --home " + home +
                                         "` first, or name another home with --home"});
  }
  if (!content) {
    const Error& error = content.error();
    return std::unexpected(ConfigProblem{file + ": " + (error.has_number() ? std::strerror(static_cast<int>(error.number())) : error.Message())});
  }
  toml::parse_result parsed = toml::parse(*content, file);
  if (!parsed) {
    std::ostringstream text;
    text << file << ":" << parsed.error().source().begin.line << ": " << parsed.error().description();
    return std::unexpected(ConfigProblem{text.str()});
  }
  Config config;
  config.home = home;
  config.database = "sqlite:strongroom.db";
  config.queue = "database";
  config.vault.socket = "vaultd.sock";
  config.vault.database = "sqlite:vault.db";
  config.vault.kek_path = "file:kek/";
  std::optional<ConfigProblem> problem;
  ReadSections(file, parsed.table(), config, problem);
  if (!problem) ApplyEnvironment(config, problem);
  if (!problem) Resolve(config, file, problem);
  if (problem) return std::unexpected(*problem);
  return config;
}

std::string DefaultConfigText(const std::string& user, const std::string& vault_database, const std::string& organization) {
  const std::string vault = vault_database.empty() ? "\"sqlite:vault.db\"                  # 0600, vaultd's alone"
                                                   : Quoted(vault_database) + "  # vaultd's alone";
  return std::string(R"(database = "sqlite:strongroom.db"             # the work database; or "odbc:Driver=PostgreSQL Unicode;..."
queue    = "database"                         # the work database

[vault]
socket = "vaultd.sock"                        # relative paths are relative to the home
)") + "database = " + vault + R"(
kek = "file:kek/"                             # KEK versions (32 raw bytes each); back it up apart from vault.db
user = ")" + user + R"("                               # the user vaultd must run as
single_user = true                            # one user may be admin and worker; false where roles have users of their own
keys_per_minute = 1000                        # different keys a minute that one user is given, worker or admin
releases_per_minute = 0                       # of a key with a profile without --rpm; 0: no ceiling
suspect_after = 3                             # so many 401s and 403s in a row for a key,
suspect_within_seconds = 60                   # within so long, and a probe decides whether it is SUSPENDED

[roles]                                       # user names, uids or "@group"
admin = [")" + user + R"("]
worker = [")" + user + R"("]
auditor = [")" + user + R"("]

[audit]
organization = ")" + organization + R"("                   # what the names of this vault's logs begin with, such as your domain; counts where a log begins
checkpoints = "checkpoints/"                  # where signed checkpoints of the trail are published; keep copies off this host
publish_seconds = 10                          # at most so often
heartbeat_seconds = 300                       # so long without a record, and a heartbeat is written
retention_days = 400                          # older records are pruned, their hashes stay; 0: nothing is ever pruned

[rotation]                                    # after so many days 'keytool due' reminds of a key; 0: never
days = 365
[rotation.customers]                          # of a customer with another limit: ACME = 90

[provider]
ca_file = ""                                  # a private CA, added to the system's
allow_http = false                            # a profile without a key may use http beyond loopback

[worker]
in_flight = 256                               # calls at once
timeout_ms = 60000                            # a request's deadline where it names none
max_attempts = 5                              # calls a request, retries included
lease_ms = 15000                              # a claim's lease; renewed every third of it
recycle_after = 0                             # exit cleanly after this many requests; 0: never

[log]
destination = "stderr"                        # or a directory: rotated daily, 30 kept
)";
}

}  // namespace strongroom::base
