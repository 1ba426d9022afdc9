#include "tests/vault/service_house.h"

#include "tests/sql/postgres_server.h"
#include "vault/node_id.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "audit/anchor.h"
#include "audit/tree.h"
#include "base/files.h"
#include "vault/trail.h"

namespace strongroom::vault {

Home::Home() {
  std::string pattern = (std::filesystem::temp_directory_path() / "strongroom-service-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  root = pattern;
  path = root + "/home";
}

Home::~Home() {
  std::error_code ignored;
  std::filesystem::remove_all(root, ignored);
}

std::string TestVaultUrl() {
  const char* engine = std::getenv("STRONGROOM_TEST_ENGINE");
  return engine != nullptr && std::string_view(engine) == "postgres" ? test::TestPostgres::Get().Url() : "";
}

void Home::Init() const {
  const std::string url = TestVaultUrl();
  if (!url.empty()) test::TestPostgres::Get().Clear();
  const auto made = InitVault(path, url);
  if (!made) FAIL(made.error().text);
}

std::unique_ptr<sql::Database> Home::Open() const {
  const auto config = base::LoadConfig(path);
  if (!config) FAIL(config.error().text);
  const auto node = ReadNodeId(path);
  REQUIRE(node.has_value());
  sql::OpenOptions options;
  options.node = *node;
  auto database = sql::Open(config->vault.database, options);
  REQUIRE(database.has_value());
  return std::move(*database);
}

ServiceHouse::ServiceHouse() {
  home_.Init();
  Start();
}

std::unique_ptr<sql::Database> ServiceHouse::Open() const { return home_.Open(); }

base::Config ServiceHouse::config() const {
  auto config = base::LoadConfig(home_.path);
  if (!config) FAIL(config.error().text);
  return *config;
}

void ServiceHouse::Start() {
  auto service = Service::Open(config());
  if (!service) FAIL(service.error().text);
  service_ = std::move(*service);
}

void ServiceHouse::Configure(const std::string& key, const std::string& value) {
  const std::string path = home_.path + "/strongroom.toml";
  std::string text = base::ReadFile(path, 1 << 20).value();
  const std::size_t at = text.find("\n" + key + " = ");
  REQUIRE(at != std::string::npos);
  text.replace(at + 1, text.find('\n', at + 1) - at - 1, key + " = " + value);
  REQUIRE(base::WriteFileAtomic(path, text, 0600).has_value());
  Stop();
  Start();
}

Result<Reply> ServiceHouse::Ask(Operation operation, Bytes body, std::uint8_t roles,
                                std::optional<SecretValue> secret) {
  return AskAs(geteuid(), operation, std::move(body), roles, std::move(secret));
}

Result<Reply> ServiceHouse::AskAs(uid_t uid, Operation operation, Bytes body, std::uint8_t roles,
                                  std::optional<SecretValue> secret) {
  Peer peer;
  peer.uid = uid;
  peer.gid = getegid();
  peer.pid = getpid();
  peer.name = "tester";
  peer.roles = roles;
  std::promise<Result<Reply>> promise;
  service_->Handle(peer, static_cast<std::uint8_t>(operation), std::move(body), std::move(secret),
                   [&promise](Result<Reply> reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

Refusal ServiceHouse::RefusalFor(Operation operation, Bytes body, std::uint8_t roles) {
  const auto reply = Ask(operation, std::move(body), roles);
  REQUIRE_FALSE(reply.has_value());
  return RefusalOf(reply.error());
}

Result<std::string> ServiceHouse::AddKey(AddKeyRequest request, std::string_view key) {
  auto reply = Ask(Operation::kAddKey, request.Encode(), 7, SecretProbe::Of(key));
  if (!reply) return std::unexpected(reply.error());
  return DecodeText(reply->body);
}

std::string ServiceHouse::Onboard(const std::string& customer, const std::string& provider,
                                  const std::string& profile, std::string_view key) {
  AddKeyRequest add;
  add.customer = customer;
  add.provider = provider;
  add.reason = "onboarding";
  const auto ref = AddKey(add, key);
  REQUIRE(ref.has_value());
  ActivateKeyRequest activate;
  activate.key_ref = *ref;
  activate.reason = "onboarding";
  activate.probed = true;
  activate.profile.emplace();
  activate.profile->profile_ref = profile;
  activate.profile->model = "some-model";
  const auto active = Ask(Operation::kActivateKey, activate.Encode());
  if (!active) FAIL(RefusalName(RefusalOf(active.error())));
  return *ref;
}

std::string ServiceHouse::Rotate(const std::string& old_ref, base::Micros grace, std::string_view key) {
  AddKeyRequest add;
  add.like = old_ref;
  add.reason = "yearly";
  RotateKeyRequest rotate;
  rotate.old_key_ref = old_ref;
  rotate.new_key_ref = AddKey(add, key).value();
  rotate.reason = "yearly";
  rotate.grace = grace;
  const auto rotated = Ask(Operation::kRotateKey, rotate.Encode());
  if (!rotated) FAIL(RefusalName(RefusalOf(rotated.error())));
  return rotate.new_key_ref;
}

Bytes MoveBody(const std::string& ref, const std::string& move, const std::string& reason) {
  MoveRequest request;
  request.ref = ref;
  request.move = move;
  request.reason = reason;
  return request.Encode();
}

ResolveRequest Ask1(const std::string& customer, const std::string& profile) {
  ResolveRequest request;
  request.request_id = "request-1";
  request.customer = customer;
  request.profile_ref = profile;
  return request;
}

Result<Reply> ServiceHouse::Resolve(const std::string& customer, const std::string& profile) {
  ResolveRequest request = Ask1(customer, profile);
  request.attempt = ++resolves_;
  return Ask(Operation::kResolve, request.Encode());
}

Result<std::string> ServiceHouse::Opened(const std::string& customer, const std::string& profile) {
  auto reply = Resolve(customer, profile);
  if (!reply) return std::unexpected(reply.error());
  REQUIRE(reply->open_secret);
  auto secret = reply->open_secret();
  if (!secret) return std::unexpected(secret.error());
  return std::string(base::AsText(SecretProbe::Copy(secret->View())));
}

Refusal ServiceHouse::ResolveRefusal(const std::string& customer, const std::string& profile) {
  const auto opened = Opened(customer, profile);
  REQUIRE_FALSE(opened.has_value());
  return RefusalOf(opened.error());
}

Result<Reply> ServiceHouse::MoveKey(const std::string& key_ref, const std::string& move) {
  return Ask(Operation::kMoveKey, MoveBody(key_ref, move));
}

Refusal ServiceHouse::MoveRefusal(const std::string& key_ref, const std::string& move) {
  const auto moved = MoveKey(key_ref, move);
  REQUIRE_FALSE(moved.has_value());
  return RefusalOf(moved.error());
}

std::int64_t ServiceHouse::Edit(sql::Sql text, std::initializer_list<sql::Parameter> parameters) {
  const auto database = Open();
  const bool file = database->engine() == sql::Engine::kSqlite;
  REQUIRE(database->RunScript(file ? "PRAGMA foreign_keys = OFF" : "SET session_replication_role = replica").has_value());
  const auto changed = database->Execute(text, parameters);
  REQUIRE(changed.has_value());
  return *changed;
}

std::string ServiceHouse::Value(sql::Sql text, std::initializer_list<sql::Parameter> parameters) {
  const auto database = Open();
  auto row = database->QueryOne(text, parameters);
  REQUIRE(row.has_value());
  if (*row == nullptr || (*row)->IsNull(0)) return {};
  std::string value = (*row)->Text(0);
  if (value.empty() && (*row)->Int64(0) != 0) value = std::to_string((*row)->Int64(0));
  if (value.empty()) value = base::Hex((*row)->Blob(0));
  (*row)->Reset();
  return value;
}

void ServiceHouse::AnchorAs(const std::string& origin) const {
  const auto database = Open();
  audit::StoredTree tree(*database);
  const std::string path = home() + "/" + std::string(kAnchorFile);
  std::filesystem::remove(path);
  REQUIRE(audit::Anchor::Create(path, {origin, **tree.StoredHead()}).has_value());
}

audit::Entry ServiceHouse::Last() {
  const auto database = Open();
  auto row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG ORDER BY SEQ DESC LIMIT 1");
  REQUIRE((row.has_value() && *row != nullptr));
  const Bytes bytes = (*row)->Blob(0);
  (*row)->Reset();
  auto entry = audit::Parse(base::AsText(bytes));
  REQUIRE(entry.has_value());
  return *entry;
}

std::int64_t ServiceHouse::Records() { return std::stoll("0" + Value("SELECT COUNT(*) FROM AUDIT_LOG")); }

}  // namespace strongroom::vault
