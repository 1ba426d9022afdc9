// auditlog export ocsf and rfc5424: events for those who collect them, against the schema and the grammar of others.
#include "tests/audit/published.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "audit/ocsf.h"
#include "audit/syslog.h"

namespace strongroom::audit {
namespace {

using Json = nlohmann::json;

Entry EntryOf(const Draft& draft) {
  Place place{"vault/node-1", "9f8e7d6c5b4a3928", 7, std::string(kNoRecord), 1'795'000'000'123'456, 81'234'567};
  auto entry = Parse(Serialize(draft, place));
  REQUIRE(entry);
  return *entry;
}

// Every action there is: those of vault/operations.cpp, and those that FORMAT.md names besides.
std::set<std::string> AllActions() {
  std::set<std::string> actions{"init", "join", "vaultd_start", "vaultd_stop", "strangers_closed", "take_keks", "new_origin", "erase_signing_key", "end_grace", "recovered_tail", "heartbeat", "node_join"};
  const std::string source = ReadWhole(STRONGROOM_SOURCE_DIR "/vault/operations.cpp");
  const std::regex row(R"re(Operation::k\w+, "(\w+)")re");
  for (std::sregex_iterator at(source.begin(), source.end(), row), end; at != end; ++at) actions.insert((*at)[1]);
  REQUIRE(actions.size() > 40);
  return actions;
}

const Json& Schema() {
  static const Json schema = Json::parse(ReadWhole(STRONGROOM_SOURCE_DIR "/tests/vectors/ocsf_extract.json"));
  return schema;
}

bool IsAllowed(const Json& ids, const Json& id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

std::string Missing(const Json& rules, const Json& object) {
  for (const std::string name : rules.at("required")) {
    if (!object.contains(name)) return name;
  }
  const Json& some = rules.at("at_least_one");
  const bool one = std::any_of(some.begin(), some.end(), [&](const std::string& name) { return object.contains(name); });
  return some.empty() || one ? "" : "one of " + some.dump();
}

// Breach is the first thing in an object that its rules do not allow, "" where there is none. Objects inside follow theirs.
std::string Breach(const Json& rules, const Json& object) {
  if (const std::string missing = Missing(rules, object); !missing.empty()) return "missing " + missing;
  if (rules.contains("enums")) {
    for (const auto& [name, ids] : rules.at("enums").items()) {
      if (object.contains(name) && !IsAllowed(ids, object.at(name))) return name + " " + object.at(name).dump();
    }
  }
  for (const auto& [name, value] : object.items()) {
    if (rules.contains("known") && !IsAllowed(rules.at("known"), name)) return "unknown " + name;
    const Json& kinds = Schema().at("attributes");
    if (!value.is_object() || !kinds.contains(name)) continue;
    const std::string kind = kinds.at(name);
    if (const std::string inside = Breach(Schema().at("objects").at(kind), value); !inside.empty()) return name + ": " + inside;
  }
  return "";
}

std::string EventBreach(const Json& event) {
  const Json& base = Schema().at("base");
  Json of_base = base;
  of_base["at_least_one"] = Json::array();
  of_base.erase("known");  // the class has more
  if (std::string breach = Breach(of_base, event); !breach.empty()) return breach;
  const std::string uid = std::to_string(event.at("class_uid").get<int>());
  if (!Schema().at("classes").contains(uid)) return "class " + uid;
  const Json& rules = Schema().at("classes").at(uid);
  if (!IsAllowed(rules.at("activity_id"), event.at("activity_id"))) return "activity_id";
  if (event.at("category_uid") != rules.at("category_uid")) return "category_uid";
  if (event.at("type_uid") != event.at("class_uid").get<int>() * 100 + event.at("activity_id").get<int>()) return "type_uid";
  for (const auto& [name, value] : event.items()) {
    if (!IsAllowed(base.at("known"), name) && !IsAllowed(rules.at("known"), name)) return "unknown " + name;
  }
  Json of_class = rules;
  of_class.erase("known");
  return Breach(of_class, event);
}

// Bare and full records of an action, in every outcome.
std::vector<Draft> Samples(const std::string& action) {
  std::vector<Draft> drafts;
  for (const Outcome outcome : {Outcome::kOk, Outcome::kDenied, Outcome::kError}) {
    Draft bare;
    bare.action = action;
    bare.outcome = outcome;
    bare.actor.name = "root";
    if (outcome != Outcome::kOk) bare.reason = "NO_ROLE";
    Draft full = SampleDraft();
    full.action = action;
    full.outcome = outcome;
    full.reason = bare.reason;
    full.purpose = "ticket \"4711\"\nzoë ]";
    full.before = Facts{{"status", "ACTIVE"}, {"profile_ref", "ACME_DEFAULT"}};
    full.after = Facts{{"move", "destroy"}, {"kek_version", "2"}, {"node", "node-2"}};
    drafts.insert(drafts.end(), {bare, full});
  }
  return drafts;
}

}  // namespace

TEST_CASE("export ocsf: every action in every outcome is an event of the schema") {
  auto actions = AllActions();
  actions.insert("something_new");
  for (const std::string& action : actions) {
    for (const Draft& draft : Samples(action)) {
      const Entry entry = EntryOf(draft);
      const std::string line = OcsfEvent(entry);
      INFO(line);
      CHECK(line.find('\n') == std::string::npos);
      const Json event = Json::parse(line);
      CHECK(EventBreach(event) == "");
      CHECK(event.at("raw_data") == entry.bytes);
      CHECK(event.at("unmapped").at("leaf") == LeafHash(entry.bytes));
      CHECK(event.at("unmapped").at("seq") == 7);
      CHECK(event.at("time") == 1'795'000'000'123);
      CHECK(event.at("status_id") == (draft.outcome == Outcome::kOk ? 1 : 2));
      // What is not in the table would still be an event, but of no use.
      const bool vague = event.at("class_uid") == 6003 && event.at("activity_id") == 99;
      CHECK(vague == (action == "something_new" || action == "unknown_operation"));
    }
  }
}

TEST_CASE("export ocsf: the extract refuses what the schema does") {
  const Json event = Json::parse(OcsfEvent(EntryOf(SampleDraft())));
  REQUIRE(EventBreach(event) == "");
  for (const std::string name : {"actor", "api", "src_endpoint", "metadata", "severity_id", "time"}) {
    Json less = event;
    less.erase(name);
    CHECK(EventBreach(less) == "missing " + name);
  }
  Json other = event;
  other["severity_id"] = 7;
  CHECK(EventBreach(other) == "severity_id 7");
  other = event;
  other["metadata"].erase("product");
  CHECK(EventBreach(other) == "metadata: missing product");
  other = event;
  other["actor"]["user"]["type_id"] = 4;  // a service: of later versions
  CHECK(EventBreach(other) == "actor: user: type_id 4");
  other = event;
  other["api"]["token"] = "x";
  CHECK(EventBreach(other) == "api: unknown token");
}

TEST_CASE("export ocsf: classes and activities say what was done") {
  const auto type = [](const std::string& action, std::optional<Facts> after = std::nullopt) {
    Draft draft = SampleDraft();
    draft.action = action;
    draft.after = std::move(after);
    return Json::parse(OcsfEvent(EntryOf(draft))).at("type_uid").get<int>();
  };
  CHECK(type("resolve") == 600302);
  CHECK(type("add_key") == 300401);
  CHECK(type("move_key", Facts{{"move", "revoke"}}) == 300403);
  CHECK(type("move_key", Facts{{"move", "destroy"}}) == 300404);
  CHECK(type("unseal") == 300201);
  CHECK(type("vaultd_start") == 600203);
  Draft start = SampleDraft();
  start.action = "vaultd_start";
  CHECK(Json::parse(OcsfEvent(EntryOf(start))).at("metadata").at("profiles") == Json({"host"}));
}

namespace {

// RFC 5424 §6: HEADER, STRUCTURED-DATA and MSG. SD-PARAM's value escapes `"`, `\` and `]`, and holds none of them bare.
const std::regex& Grammar() {
  static const std::regex grammar(
      R"re(<([0-9]{1,3})>1 ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) )re"
      R"re(\[([^ ="\]]{1,32})((?: [^ ="\]]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] )re");
  return grammar;
}

struct Message {
  std::string priority, time, host, app, process, id, data, text;
};

Message Split(const std::string& line) {
  std::smatch found;
  INFO(line);
  REQUIRE(std::regex_search(line, found, Grammar(), std::regex_constants::match_continuous));
  CHECK(found[7] == "strongroom@32473");
  return {found[1], found[2], found[3], found[4], found[5], found[6], found[8], found.suffix()};
}

constexpr const char* kBom = "\xef\xbb\xbf";

}  // namespace

TEST_CASE("export rfc5424: every action in every outcome is a message of the grammar") {
  for (const std::string& action : AllActions()) {
    for (const Draft& draft : Samples(action)) {
      const Entry entry = EntryOf(draft);
      const std::string line = SyslogMessage(entry, {{"node-1", "vault1.example.net"}});
      CHECK(line.find('\n') == std::string::npos);
      const Message message = Split(line);
      CHECK(message.time == "2026-11-18T11:06:40.123456Z");
      CHECK(message.host == "vault1.example.net");
      CHECK(message.app == "vaultd");
      CHECK(message.process == "9f8e7d6c5b4a3928");
      CHECK(message.id == action);
      // §6.4: a message in UTF-8 begins with the BOM.
      CHECK(message.text == kBom + entry.bytes);
      CHECK(message.data.starts_with(" seq=\"7\" leaf=\"" + LeafHash(entry.bytes) + "\""));
      // §6.2.1: 13 is log audit; 6 informational, 4 warning, 3 error.
      const int severity = draft.outcome == Outcome::kOk ? 6 : draft.outcome == Outcome::kDenied ? 4 : 3;
      CHECK(message.priority == std::to_string(13 * 8 + severity));
    }
  }
}

TEST_CASE("export rfc5424: what is not there is nil, what is too long is cut, what would end a value is escaped") {
  Draft draft = SampleDraft();
  draft.customer = R"(a"b\c]d)" "\n\x7f" "zoë";
  draft.action = std::string(40, 'x');
  const Entry entry = EntryOf(draft);
  const Message message = Split(SyslogMessage(entry, {}));
  CHECK(message.host == "-");
  CHECK(message.id == std::string(32, 'x'));
  CHECK(message.data.find(R"( customer="a\"b\\c\]d??zoë")") != std::string::npos);
  draft.action = "a b\x80";
  CHECK(Split(SyslogMessage(EntryOf(draft), {{"node-1", std::string(300, 'h')}})).host == std::string(255, 'h'));
  CHECK(Split(SyslogMessage(EntryOf(draft), {{"node-1", ""}})).host == "-");
  CHECK(Split(SyslogMessage(EntryOf(draft), {})).id.starts_with("a?b"));
  draft.action = "";
  CHECK(Split(SyslogMessage(EntryOf(draft), {})).id == "-");
}

TEST_CASE("export ocsf and rfc5424: the whole trail, or a stretch of time") {
  const Published published(1500);
  Filter filter;
  filter.limit = 10'000;
  const auto entries = published.trail.Search(filter);
  for (const std::string format : {"ocsf", "rfc5424"}) {
    const auto lines = [&](const std::string& options) {
      const Ran ran = RunShell(published.Run("export --format " + format + " " + options));
      CHECK(ran.status == 0);
      return std::count(ran.out.begin(), ran.out.end(), '\n');
    };
    CHECK(lines("") == 1500);
    CHECK(lines("--until 2020-01-01") == 0);
    CHECK(lines("--since 1h") == 1500);
    const auto inside = std::count_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.place.time >= entries[100].place.time && entry.place.time <= entries[200].place.time;
    });
    CHECK(lines("--since " + base::FormatTime(entries[100].place.time) + " --until " + base::FormatTime(entries[200].place.time)) == inside);
  }
}

}  // namespace strongroom::audit
