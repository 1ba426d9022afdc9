#include "audit/ocsf.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace strongroom::audit {
namespace {

enum class Class : std::int64_t {
  kAuthentication = 3002,
  kEntityManagement = 3004,
  kApplicationLifecycle = 6002,
  kApiActivity = 6003,
};
constexpr std::int64_t kCreate = 1, kRead = 2, kUpdate = 3, kDelete = 4, kOther = 99;
constexpr std::int64_t kLogon = 1, kLogoff = 2;
constexpr std::int64_t kInstall = 1, kStart = 3, kStop = 4;

// Kind is what an action is in OCSF; of an entity `fact` is the fact that names it, where the record has no field for it.
struct Kind {
  std::string_view action;
  Class event_class;
  std::int64_t activity;
  std::string_view entity = {}, fact = {};
};

constexpr auto kKinds = std::to_array<Kind>({
    {"status", Class::kApiActivity, kRead},
    {"get_profile", Class::kApiActivity, kRead},
    {"get_rates", Class::kApiActivity, kRead},
    {"resolve", Class::kApiActivity, kRead},
    {"probe", Class::kApiActivity, kRead},
    {"list_keys", Class::kApiActivity, kRead},
    {"show_key", Class::kApiActivity, kRead},
    {"list_profiles", Class::kApiActivity, kRead},
    {"show_profile", Class::kApiActivity, kRead},
    {"kek_status", Class::kApiActivity, kRead},
    {"list_nodes", Class::kApiActivity, kRead},
    {"list_approvals", Class::kApiActivity, kRead},
    {"list_tickets", Class::kApiActivity, kRead},
    {"show_ticket", Class::kApiActivity, kRead},
    {"sign_checkpoint", Class::kApiActivity, kRead},
    {"read_trail", Class::kApiActivity, kRead},
    {"read_key_trail", Class::kApiActivity, kRead},
    {"report_call", Class::kApiActivity, kCreate},
    {"probe_suspect", Class::kApiActivity, kRead},
    {"add_key", Class::kEntityManagement, kCreate, "key"},
    {"accept_ticket", Class::kEntityManagement, kCreate, "key"},
    {"activate_key", Class::kEntityManagement, kUpdate, "key"},
    {"rotate_key", Class::kEntityManagement, kUpdate, "key"},
    {"move_key", Class::kEntityManagement, kUpdate, "key"},
    {"rollback_key", Class::kEntityManagement, kUpdate, "key"},
    {"end_grace", Class::kEntityManagement, kUpdate, "key"},
    {"offboard", Class::kEntityManagement, kDelete, "customer"},
    {"report_probe", Class::kEntityManagement, kUpdate, "key"},
    {"resume_noticed", Class::kEntityManagement, kUpdate, "key"},
    {"set_profile", Class::kEntityManagement, kUpdate, "profile", "profile_ref"},
    {"move_profile", Class::kEntityManagement, kUpdate, "profile", "profile_ref"},
    {"report_quota", Class::kEntityManagement, kUpdate, "profile", "profile_ref"},
    {"renew_quota", Class::kEntityManagement, kUpdate, "profile", "profile_ref"},
    {"limit_key", Class::kEntityManagement, kUpdate, "key"},
    {"set_rate", Class::kEntityManagement, kUpdate, "rate", "model"},
    {"prepare_kek", Class::kEntityManagement, kCreate, "kek", "kek_version"},
    {"activate_kek", Class::kEntityManagement, kUpdate, "kek", "kek_version"},
    {"rewrap_keys", Class::kEntityManagement, kUpdate, "kek", "kek_version"},
    {"retire_kek", Class::kEntityManagement, kUpdate, "kek", "kek_version"},
    {"destroy_kek", Class::kEntityManagement, kDelete, "kek", "kek_version"},
    {"take_keks", Class::kEntityManagement, kUpdate, "node", "node"},
    {"add_protector", Class::kEntityManagement, kCreate, "protector", "protector"},
    {"remove_protector", Class::kEntityManagement, kDelete, "protector", "protector"},
    {"confirm_node", Class::kEntityManagement, kUpdate, "node", "node"},
    {"remove_node", Class::kEntityManagement, kDelete, "node", "node"},
    {"issue_ticket", Class::kEntityManagement, kCreate, "ticket", "ticket"},
    {"cancel_ticket", Class::kEntityManagement, kDelete, "ticket", "ticket"},
    {"expire_tickets", Class::kEntityManagement, kDelete, "ticket"},
    {"put_recovery", Class::kEntityManagement, kUpdate, "recovery_set", "set_id"},
    {"note_recovery", Class::kEntityManagement, kOther, "recovery_set", "set_id"},
    {"finish_restore", Class::kEntityManagement, kUpdate, "vault"},
    {"propose_act", Class::kEntityManagement, kCreate, "approval", "approval"},
    {"approve_act", Class::kEntityManagement, kUpdate, "approval", "approval"},
    {"deny_act", Class::kEntityManagement, kUpdate, "approval", "approval"},
    {"require_two_people", Class::kEntityManagement, kUpdate, "policy"},
    {"new_origin", Class::kEntityManagement, kUpdate, "trail"},
    {"rotate_signing_key", Class::kEntityManagement, kUpdate, "trail"},
    {"erase_signing_key", Class::kEntityManagement, kUpdate, "trail"},
    {"recovered_tail", Class::kEntityManagement, kOther, "trail"},
    {"heartbeat", Class::kEntityManagement, kOther, "trail"},
    {"node_join", Class::kEntityManagement, kOther, "node", "node"},
    {"unseal", Class::kAuthentication, kLogon},
    {"seal", Class::kAuthentication, kLogoff},
    {"strangers_closed", Class::kAuthentication, kLogon},
    {"init", Class::kApplicationLifecycle, kInstall},
    {"join", Class::kApplicationLifecycle, kInstall},
    {"vaultd_start", Class::kApplicationLifecycle, kStart},
    {"vaultd_stop", Class::kApplicationLifecycle, kStop},
});

Kind KindOf(const Draft& draft) {
  const auto kind = std::ranges::find(kKinds, draft.action, &Kind::action);
  if (kind == kKinds.end()) return {"", Class::kApiActivity, kOther};
  const auto move = draft.after ? draft.after->find("move") : Facts::const_iterator();
  const bool destroys = draft.action == "move_key" && draft.after && move != draft.after->end() && move->second == "destroy";
  return destroys ? Kind{kind->action, kind->event_class, kDelete, kind->entity} : *kind;
}

// Object is a JSON object under construction. Names are ours and need no escapes.
class Object {
 public:
  Object& Raw(std::string_view name, std::string_view json) {
    out_ += out_.empty() ? "{\"" : ",\"";
    out_ += name;
    out_ += "\":";
    out_ += json;
    return *this;
  }
  Object& Text(std::string_view name, std::string_view text) {
    std::string quoted;
    base::AppendJsonString(quoted, text);
    return Raw(name, quoted);
  }
  Object& MaybeText(std::string_view name, const std::optional<std::string>& text) { return text ? Text(name, *text) : *this; }
  Object& Number(std::string_view name, std::int64_t number) { return Raw(name, std::to_string(number)); }
  std::string Json() const { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
};

std::string FactsJson(const std::optional<Facts>& facts) {
  std::string out = "{";
  for (const auto& [name, value] : facts.value_or(Facts())) {
    if (out.size() > 1) out += ',';
    base::AppendJsonString(out, name);
    out += ':';
    base::AppendJsonString(out, value);
  }
  return out + "}";
}

// A finding of tampering is what somebody must be woken for.
std::int64_t Severity(const Draft& draft) {
  constexpr std::int64_t kInformational = 1, kMedium = 3, kHigh = 4, kCritical = 5;
  const std::string reason = draft.reason.value_or("");
  if (reason.ends_with("_TAMPERED") || reason == "DATABASE_OLDER") return kCritical;
  if (draft.outcome == Outcome::kOk) return kInformational;
  return draft.outcome == Outcome::kDenied ? kMedium : kHigh;
}

std::string UserJson(const Actor& actor) {
  constexpr std::int64_t kUnknown = 0, kUser = 1, kAdmin = 2, kSystem = 3;
  const bool system = actor.role == "worker" || actor.role == "vaultd";
  const std::int64_t type = actor.role == "admin" ? kAdmin : system ? kSystem : actor.role.empty() ? kUnknown : kUser;
  return Object().Text("name", actor.name).Text("uid", std::to_string(actor.uid)).Number("type_id", type).Json();
}

std::string ActorJson(const Actor& actor) {
  // The pid alone may come again.
  const std::string process = std::to_string(actor.pid) + "-" + std::to_string(actor.pid_start);
  return Object()
      .Raw("user", UserJson(actor))
      .Raw("process", Object().Number("pid", actor.pid).Text("uid", process).Json())
      .Json();
}

std::string ProductJson() {
  return Object().Text("name", "Strongroom").Text("vendor_name", "Strongroom").Text("version", STRONGROOM_VERSION).Json();
}

std::string MetadataJson(const Entry& entry, const Kind& kind) {
  const Place& place = entry.place;
  Object metadata;
  // Where a class has no actor of its own, the profile `host` gives it one.
  if (kind.event_class == Class::kApplicationLifecycle) metadata.Raw("profiles", R"(["host"])");
  return metadata.Text("version", kOcsfVersion)
      .Raw("product", ProductJson())
      .Text("uid", place.log + "#" + std::to_string(place.seq))
      .Text("event_code", entry.draft.action)
      .Text("log_name", place.log)
      .Text("log_provider", "vaultd")
      .Text("original_time", base::FormatTime(place.time))
      .MaybeText("correlation_uid", entry.draft.request_id)
      .Number("sequence", place.seq)
      .Json();
}

std::string UnmappedJson(const Entry& entry) {
  const Draft& draft = entry.draft;
  Object object;
  object.Number("seq", entry.place.seq).Text("leaf", LeafHash(entry.bytes)).Text("log", entry.place.log);
  object.Text("outcome", OutcomeName(draft.outcome)).MaybeText("customer", draft.customer).MaybeText("key_ref", draft.key_ref);
  object.MaybeText("request_id", draft.request_id).MaybeText("purpose", draft.purpose);
  if (!draft.actor.role.empty()) object.Text("role", draft.actor.role);
  if (draft.epoch) object.Number("epoch", *draft.epoch);
  return object.Json();
}

std::string_view FactOr(const std::optional<Facts>& facts, std::string_view name) {
  if (!facts) return {};
  const auto fact = facts->find(std::string(name));
  return fact == facts->end() ? std::string_view() : fact->second;
}

std::string EntityUid(const Entry& entry, const Kind& kind) {
  if (kind.entity == "key") return entry.draft.key_ref.value_or("");
  if (kind.entity == "customer") return entry.draft.customer.value_or("");
  const std::string_view after = FactOr(entry.draft.after, kind.fact);
  return std::string(after.empty() ? FactOr(entry.draft.before, kind.fact) : after);
}

std::string EntityJson(const Entry& entry, const Kind& kind, const std::optional<Facts>& data) {
  Object object;
  const std::string uid = EntityUid(entry, kind);
  object.Text("type", kind.entity).Text("name", uid.empty() ? kind.entity : std::string_view(uid));
  if (!uid.empty()) object.Text("uid", uid);
  if (kind.entity == "key" && entry.draft.key_version) object.Text("version", std::to_string(*entry.draft.key_version));
  if (data) object.Raw("data", FactsJson(data));
  return object.Json();
}

std::string KeyJson(const Draft& draft) {
  Object key;
  key.MaybeText("uid", draft.key_ref).Text("type", "key");
  if (draft.key_version) key.Text("version", std::to_string(*draft.key_version));
  return "[" + key.Json() + "]";
}

void AddApi(const Entry& entry, Object& event) {
  const Draft& draft = entry.draft;
  const std::string& log = entry.place.log;
  const std::string service = Object().Text("name", "vaultd").Json();
  Object api;
  api.Text("operation", draft.action).Raw("service", service);
  if (draft.request_id) api.Raw("request", Object().MaybeText("uid", draft.request_id).Json());
  if (draft.reason) api.Raw("response", Object().MaybeText("error", draft.reason).Json());
  event.Raw("api", api.Json());
  // Whoever asks is on the node's own host.
  event.Raw("src_endpoint", Object().Text("name", log.substr(log.rfind('/') + 1)).Text("uid", log).Json());
  if (draft.key_ref) event.Raw("resources", KeyJson(draft));
}

void AddOwn(const Entry& entry, const Kind& kind, Object& event) {
  switch (kind.event_class) {
    case Class::kApiActivity: return AddApi(entry, event);
    case Class::kEntityManagement:
      event.Raw("entity", EntityJson(entry, kind, entry.draft.before));
      if (entry.draft.after) event.Raw("entity_result", EntityJson(entry, kind, entry.draft.after));
      event.MaybeText("comment", entry.draft.purpose);
      return;
    case Class::kAuthentication:
      event.Raw("user", UserJson(entry.draft.actor)).Raw("service", Object().Text("name", "vaultd").Json()).Raw("is_remote", "false");
      return;
    case Class::kApplicationLifecycle: event.Raw("app", ProductJson()); return;
  }
}

}  // namespace

std::string OcsfEvent(const Entry& entry) {
  constexpr std::int64_t kSuccess = 1, kFailure = 2;
  const Draft& draft = entry.draft;
  const Kind kind = KindOf(draft);
  const auto class_uid = static_cast<std::int64_t>(kind.event_class);
  Object event;
  event.Number("activity_id", kind.activity).Number("category_uid", class_uid / 1000).Number("class_uid", class_uid);
  if (kind.activity == kOther) event.Text("activity_name", draft.action);
  event.Number("type_uid", class_uid * 100 + kind.activity).Number("severity_id", Severity(draft));
  event.Number("time", entry.place.time / base::kMicrosPerMilli);
  event.Number("status_id", draft.outcome == Outcome::kOk ? kSuccess : kFailure).MaybeText("status_code", draft.reason);
  event.Text("message", draft.actor.name + " " + draft.action + " " + draft.key_ref.value_or(draft.customer.value_or("")) + ": " +
                            std::string(OutcomeName(draft.outcome)));
  event.Raw("metadata", MetadataJson(entry, kind)).Raw("actor", ActorJson(draft.actor));
  AddOwn(entry, kind, event);
  event.Raw("unmapped", UnmappedJson(entry)).Text("raw_data", entry.bytes);
  return event.Json();
}

}  // namespace strongroom::audit
