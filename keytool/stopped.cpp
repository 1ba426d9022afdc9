#include "keytool/stopped.h"

#include "base/clock.h"
#include "keytool/document.h"

namespace strongroom::keytool {

Outcome<vault::StoppedAnswer> ReadStopped(ByteView body) {
  auto stopped = vault::StoppedAnswer::Decode(body);
  if (!stopped) return Unreadable();
  return std::move(*stopped);
}

void ReportMove(bool json, JsonLine line, const std::string& ref, const std::string& status,
                const vault::StoppedAnswer& stopped, const std::string& more) {
  const std::int64_t millis = stopped.took / base::kMicrosPerMilli;
  for (const std::string& node : stopped.unheard) {
    Warn("node " + node + " did not answer; its lease has run out, and it releases nothing until it has heard of this");
  }
  if (json) {
    line.OptionalText("status", status).Number("took_ms", millis).Raw("unheard", JsonList(stopped.unheard));
    return Print(line.Str() + "\n");
  }
  const std::string where = stopped.unheard.empty() ? " on every node, after " : " on every node that answered, after ";
  Print(ref + " is " + (status.empty() ? "changed" : status) + where + std::to_string(millis) + " ms" + more + "\n");
}

void WarnOfCopies(const Context& context, const std::string& document) {
  const std::vector<std::string> copies = ReadList(document, "copies");
  if (copies.empty()) return;
  Warn("the very same key is held as " + ReadMember(document, "copies") + " too, and goes on there: " + Command(context, {"keytool compromise", copies.front()}) +
       (copies.size() == 1 ? "" : ", and so each of them"));
}

}  // namespace strongroom::keytool
