#include "provider-sim/simulator.h"

#include <array>
#include <cerrno>

#include "base/files.h"

namespace strongroom::sim {
namespace {

constexpr int kSlowMs = 3000;
// One model, behind the list of all at both providers.
constexpr std::string_view kOneModel = "/v1/models/";
constexpr std::size_t kMaxFaultList = 16UL * 1024 * 1024;

struct Route {
  std::string_view method;
  std::string_view path;
  const Provider& (*provider)();
  bool probe;
};

// GET /v1/models is both Anthropic's and OpenAI's: the anthropic-version header tells them apart.
const std::array kRoutes = {
    Route{"POST", "/v1/messages", Anthropic, false}, Route{"POST", "/v1/chat/completions", OpenAi, false},
    Route{"POST", "/api/chat", OllamaChat, false},   Route{"POST", "/api/generate", OllamaGenerate, false},
    Route{"GET", "/api/tags", OllamaChat, true},     Route{"GET", "/v1/models", OpenAi, true},
};

const Provider& ProviderOf(const Head& head) {
  for (const Route& route : kRoutes) {
    if (route.path == head.path && head.path != "/v1/models") return route.provider();
  }
  return head.Find("anthropic-version") ? Anthropic() : OpenAi();
}

ApiError QuotaError(const Provider& provider) {
  if (&provider == &Anthropic()) {
    return {400,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
            "upgrade or "
            "purchase credits.",
            {},
            {},
            {}};
  }
  return {429,
          "You exceeded your current quota, please check your plan and billing details.",
          "insufficient_quota",
          {},
          "insufficient_quota"};
}

ApiError StatusError(Fault fault) {
  switch (fault) {
    case Fault::k429:
      return {429, "This request would exceed your rate limit. Please try again later.", {}, {}, {}};
    case Fault::k403:
      return {403, "Your API key does not have permission to use the specified resource.", {}, {}, {}};
    case Fault::k502:
      return {502, "Bad gateway.", {}, {}, {}};
    case Fault::k503:
      return {503, "The service is unavailable right now.", {}, {}, {}};
    case Fault::k504:
      return {504, "The upstream did not answer in time.", {}, {}, {}};
    case Fault::k529:
      return {529, "Overloaded", {}, {}, {}};
    default:
      return {500, "Internal server error", {}, {}, {}};
  }
}

constexpr std::string_view kHtmlPage =
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad "
    "Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

Reply PlainError(int status, std::string body) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

// EchoAside puts a key into the first and the last member of an answer, as a proxy that shows the request's
// headers would, with 20 KB between: more than one read of the caller's.
void EchoAside(std::string& body, std::string_view key) {
  const std::string echo = R"("request_headers":{"authorization":"Bearer )" + std::string(key) +
                           R"(","x-api-key":")" + std::string(key) + R"("})";
  body.insert(1, echo + R"(,"padding":")" + std::string(20'000, '.') + "\",");
  body.insert(body.size() - 1, "," + echo);
}

void EchoInHeaders(std::string& headers, std::string_view key) {
  for (const std::string_view name :
       {"x-echo: ", "authorization: Bearer ", "retry-after: ", "x-request-id: "}) {
    headers.append(name).append(key).append("\r\n");
  }
  headers.append(key).append(": 1\r\n");
}

}  // namespace

Simulator::Simulator(int latency_ms, FaultPlan faults, KeyList keys)
    : latency_ms_(latency_ms), faults_(std::move(faults)), keys_(std::move(keys)) {}

Result<Simulator> Simulator::Make(const SimulatorOptions& options) {
  std::string list;
  if (!options.fault_list_path.empty()) {
    auto text = base::ReadFile(options.fault_list_path, kMaxFaultList);
    if (!text) return Fail(Code::kNotFound, "the file of --fault-list cannot be read", errno);
    list = std::move(*text);
  }
  TRY_ASSIGN(FaultPlan faults, FaultPlan::Make(options.fault_rates, list, options.seed));
  TRY_ASSIGN(KeyList keys, KeyList::Open(options.valid_key_path));
  return Simulator(options.latency_ms, std::move(faults), std::move(keys));
}

Reply Simulator::Answer(const Head& head, std::string_view body) {
  if (head.method == "GET" && head.path == "/sim/calls") return PlainError(200, calls_.CallsJson());
  if (head.method == "GET" && head.path == "/sim/stats") return PlainError(200, calls_.StatsJson());
  if (head.method == "POST" && head.path == "/sim/reset") {
    calls_.Reset();
    return PlainError(200, "{}");
  }
  const Provider& provider = ProviderOf(head);
  bool known_path = head.path == "/sim/calls" || head.path == "/sim/stats" || head.path == "/sim/reset";
  for (const Route& route : kRoutes) {
    if (route.path != head.path) continue;
    known_path = true;
    if (route.method != head.method) continue;
    return route.probe ? Probe(provider, head, {}) : ModelCall(provider, head, body);
  }
  if (head.path.starts_with(kOneModel)) {
    if (head.method == "GET") return Probe(provider, head, std::string_view(head.path).substr(kOneModel.size()));
    known_path = true;
  }
  if (known_path) return Refuse(provider, {405, "Method Not Allowed", {}, {}, {}});
  return Refuse(provider, {404, "Not Found", {}, {}, {}});
}

Reply Simulator::TooLarge(const Head& head) {
  return Refuse(ProviderOf(head), {413, "Request exceeds the maximum size", {}, {}, {}});
}

// Of one model too the real ones look at the key first.
Reply Simulator::Probe(const Provider& provider, const Head& head, std::string_view model) {
  if (provider.needs_key) {
    const std::string_view key = provider.key(head);
    if (!keys_.Accepts(key)) return Refuse(provider, provider.bad_key(key));
  }
  if (IsNoSuchModel(model)) return Refuse(provider, {404, "model: " + std::string(model), {}, {}, {}});
  Reply reply;
  reply.body = provider.models();
  AddRequestId(provider, reply);
  calls_.Answered("200");
  return reply;
}

// The order is the real one's: the key, then the load (faults), then the content.
Reply Simulator::ModelCall(const Provider& provider, const Head& head, std::string_view json) {
  const Body body = ReadBody(json);
  const std::string prompt = body.UserText();
  const std::string identity = CallIdentity(head, prompt);
  const Sighting sighting = calls_.See(identity);
  const int latency = DirectedLatency(prompt).value_or(latency_ms_);
  const std::string_view key = provider.key(head);
  Reply reply;
  if (provider.needs_key && !keys_.Accepts(key)) {
    reply = Refuse(provider, provider.bad_key(key));
  } else if (const Fault fault = faults_.Choose(identity, sighting, prompt); fault != Fault::kNone) {
    reply = Faulty(provider, head, body, fault);
  } else if (const auto refusal = provider.refusal(head, body)) {
    reply = Refuse(provider, *refusal);
  } else {
    reply = Succeed(provider, body, {});
  }
  reply.delay_ms += latency;
  return reply;
}

Reply Simulator::Faulty(const Provider& provider, const Head& head, const Body& body, Fault fault) {
  const std::string_view key = provider.key(head);
  if (fault == Fault::kTimeout || fault == Fault::kCut) {
    calls_.Answered(FaultName(fault));
    Reply reply;
    reply.delivery = fault == Fault::kCut ? Delivery::kCut : Delivery::kSilence;
    return reply;
  }
  if (fault == Fault::k401) return Refuse(provider, provider.bad_key(key.empty() ? "unknown" : key));
  if (fault == Fault::kEcho400 || fault == Fault::kEcho401) {
    const int status = fault == Fault::kEcho400 ? 400 : 401;
    return Refuse(provider, {status, "invalid key: " + std::string(key), {}, {}, {}});
  }
  if (fault == Fault::kEcho302 || fault == Fault::kEchoCut) {
    calls_.Answered(FaultName(fault));
    Reply reply = PlainError(fault == Fault::kEcho302 ? 302 : 200, "{}");
    reply.headers = (fault == Fault::kEcho302 ? "location: https://localhost/login?key=" : "x-echo: ") + std::string(key) + "\r\n";
    if (fault == Fault::kEchoCut) reply.delivery = Delivery::kHead;
    return reply;
  }
  if (fault == Fault::k429Quota) return Refuse(provider, QuotaError(provider));
  if (fault == Fault::kHtml) {
    calls_.Answered("502");
    Reply reply = PlainError(502, std::string(kHtmlPage));
    reply.content_type = "text/html";
    return reply;
  }
  const bool aside = fault == Fault::kEchoAside || fault == Fault::kEchoHeader;
  const bool answers = aside || fault == Fault::kSlow || fault == Fault::kCutMid ||
                       fault == Fault::kMalformed || fault == Fault::kEcho;
  if (!answers) {
    Reply reply = Refuse(provider, StatusError(fault));
    if (fault == Fault::k429) reply.headers += "retry-after: 1\r\nretry-after-ms: 200\r\n";
    return reply;
  }
  if (const auto refusal = provider.refusal(head, body)) return Refuse(provider, *refusal);
  Reply reply = Succeed(provider, body, fault == Fault::kEcho ? key : std::string_view());
  if (fault == Fault::kSlow) reply.delay_ms = kSlowMs;
  if (fault == Fault::kCutMid) reply.delivery = Delivery::kHalf;
  if (fault == Fault::kEchoAside) EchoAside(reply.body, key);
  if (fault == Fault::kEchoHeader) EchoInHeaders(reply.headers, key);
  if (fault == Fault::kMalformed) reply.body.resize(reply.body.size() * 2 / 3);
  return reply;
}

Reply Simulator::Succeed(const Provider& provider, const Body& body, std::string_view echoed) {
  Draft draft = WriteDraft(body.UserText(), body.InputSize(), provider.limit(body));
  if (!echoed.empty()) draft.text = "You called me with " + std::string(echoed) + " just now.";
  Reply reply;
  reply.body = provider.answer(body, draft);
  AddRequestId(provider, reply);
  calls_.Answered("200");
  return reply;
}

Reply Simulator::Refuse(const Provider& provider, const ApiError& error) {
  Reply reply;
  reply.status = error.status;
  const std::string request_id = NextRequestId();
  reply.body = provider.error(error, request_id);
  reply.headers.append(provider.id_header).append(": ").append(request_id).append("\r\n");
  calls_.Answered(std::to_string(error.status));
  return reply;
}

void Simulator::AddRequestId(const Provider& provider, Reply& reply) {
  reply.headers.append(provider.id_header).append(": ").append(NextRequestId()).append("\r\n");
}

std::string Simulator::NextRequestId() {
  std::string number = std::to_string(++request_number_);
  return "req_" + std::string(number.size() < 12 ? 12 - number.size() : 0, '0') + number;
}

}  // namespace strongroom::sim
