#include "keytool/invite_many.h"

#include <unistd.h>

#include <set>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/table.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/ticket_files.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostTable = 4 << 20;

struct Line {
  std::string customer, provider, endpoint;
  std::string File(const std::string& directory) const { return directory + "/" + customer + "." + provider + ".ticket"; }
};

std::string Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

// Names and URLs need no quotes: a cell that has one is not of this table.
std::vector<std::string> Cells(std::string_view line, char between) {
  std::vector<std::string> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(between, begin), line.size());
    cells.push_back(Trimmed(line.substr(begin, end - begin)));
    begin = end + 1;
  }
  return cells;
}

Outcome<Line> ReadLine(const std::vector<std::string>& cells) {
  if (cells.size() < 2 || cells.size() > 3) return Usage("two or three cells are expected");
  Line line{cells[0], cells[1], cells.size() == 3 ? cells[2] : ""};
  TRY(CheckInvited(line.customer, line.provider, line.endpoint));
  return line;
}

Outcome<std::vector<Line>> ReadTable(const std::string& path) {
  const auto text = base::ReadFile(path, kMostTable);
  if (!text) return FailedBy(text.error(), "--from " + path);
  const auto bad = [&path](int number, const std::string& why) {
    return Failed("TABLE_MALFORMED", "--from " + path + ", line " + std::to_string(number) + ": " + why + "; no ticket was made");
  };
  std::vector<Line> lines;
  std::set<std::pair<std::string, std::string>> seen;
  int number = 0;
  // Spreadsheets put a byte order mark in front, and in half of Europe a semicolon between the cells.
  const char between = text->substr(0, text->find('\n')).find(';') == std::string::npos ? ',' : ';';
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  for (std::size_t begin = text->starts_with(kMark) ? kMark.size() : 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    const std::vector<std::string> cells = Cells(std::string_view(*text).substr(begin, end - begin), between);
    begin = end + 1;
    if (++number == 1) {
      const bool heading = cells == std::vector<std::string>{"customer", "provider"} || cells == std::vector<std::string>{"customer", "provider", "endpoint"};
      if (!heading) return bad(number, "the heading is customer,provider or customer,provider,endpoint");
      continue;
    }
    if (cells == std::vector<std::string>{""}) continue;
    auto line = ReadLine(cells);
    if (!line) return bad(number, line.error().text);
    if (!seen.emplace(line->customer, line->provider).second) return bad(number, "this customer stands there twice with this provider");
    lines.push_back(std::move(*line));
  }
  if (lines.empty()) return bad(number, "nobody stands in it");
  return lines;
}

// A file from a run before is handed out again, if it is that customer's and not over.
Outcome<Issued> ReadThere(const Line& line, const std::string& path) {
  TRY_ASSIGN(const std::string text, ReadTextFile("ticket", path));
  auto issued = ReadIssued(text);
  const bool fits = issued && issued->ticket.customer == line.customer && issued->ticket.provider == line.provider;
  if (!fits || issued->ticket.expires_at <= base::WallMicros()) {
    return Failed("FILE_EXISTS", path + ": this file is no ticket that still holds for " + line.customer + " at " + line.provider + "; move it away");
  }
  return issued;
}

Outcome<Issued> TicketFor(const Session& session, const Line& line, const std::string& directory, const std::string& reason) {
  const std::string path = line.File(directory);
  if (access(path.c_str(), F_OK) == 0) return ReadThere(line, path);
  TRY_ASSIGN(Issued issued, Issue(session, line.customer, line.provider, line.endpoint, reason));
  TRY(WriteNewFile("--out", path, issued.ticket.Print()));
  return issued;
}

Outcome<void> MakeDirectory(const std::string& path) {
  const auto made = base::CreateDirectory(path, 0700);
  if (!made && made.error().code() != Code::kAlreadyExists) return FailedBy(made.error(), "--out " + path);
  return {};
}

void Report(const Context& context, const std::string& directory, const std::vector<Line>& lines, const std::vector<Issued>& issued) {
  std::string json;
  std::vector<base::Row> rows;
  for (std::size_t i = 0; i < issued.size(); ++i) {
    const vault::Ticket& ticket = issued[i].ticket;
    const std::string file = lines[i].File(directory);
    JsonLine line;
    line.Text("ticket", ticket.ticket_id).Text("customer", ticket.customer).Text("provider", ticket.provider).Text("file", file);
    json += (json.empty() ? "" : ",") + line.Text("check_phrase", issued[i].phrase).Str();
    rows.push_back({ticket.customer, ticket.provider, ticket.ticket_id, file, issued[i].phrase});
  }
  if (context.json) return Print("[" + json + "]\n");
  Print(base::FormatTable({{"CUSTOMER"}, {"PROVIDER"}, {"TICKET"}, {"FILE"}, {"CHECK PHRASE"}}, rows));
  Print("next: mail each file to its customer, read each phrase out to them by telephone, then " + Command(context, {"keytool accept BLOB --model MODEL"}) +
        "\n");
}

}  // namespace

Outcome<void> InviteMany(const Context& context, const InviteOptions& options) {
  if (!options.customer.empty() || !options.provider.empty() || !options.endpoint.empty() || !options.rotate.empty()) {
    return Usage("--from FILE says whom to invite: leave CUSTOMER, --provider, --endpoint and --rotate out");
  }
  if (options.out.empty()) return Usage("--from needs --out DIR, where the tickets go");
  TRY_ASSIGN(const std::vector<Line> lines, ReadTable(options.from));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  TRY(session.CheckAnswers());
  TRY(MakeDirectory(options.out));
  std::vector<Issued> issued;
  for (const Line& line : lines) {
    auto one = TicketFor(session, line, options.out, reason);
    if (!one) {
      one.error().text += "; " + std::to_string(issued.size()) + " of " + std::to_string(lines.size()) +
                          " tickets are in " + options.out + ", run this again for the rest";
      return std::unexpected(std::move(one.error()));
    }
    issued.push_back(std::move(*one));
  }
  Report(context, options.out, lines, issued);
  return {};
}

}  // namespace strongroom::keytool
