#include "base/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

namespace strongroom::base {
namespace {

bool Allowed(std::string_view name) {
  constexpr std::array<std::string_view, 12> kAllowed = {"PATH", "HOME",    "TERM", "LANG",     "LC_ALL",  "LC_CTYPE",
                                                         "TZ",   "COLUMNS", "USER", "NO_COLOR", "LOGNAME", "STRONGROOM_HOME"};
  for (const std::string_view allowed : kAllowed) {
    if (name == allowed) return true;
  }
  // Where systemd has put what LoadCredential= names.
  if (name == "CREDENTIALS_DIRECTORY") return true;
  // Where SoftHSM, a PKCS#11 token in software, has its tokens.
  if (name == "SOFTHSM2_CONF") return true;
  // The worker's own settings (INTERFACES §4), and the sanitizers' in builds that have them.
  if (name.starts_with("K3SAI_")) return true;
#ifdef STRONGROOM_SANITIZED
  return name.ends_with("SAN_OPTIONS");
#else
  return false;
#endif
}

void ClearEnvironment() {
  std::vector<std::pair<std::string, std::string>> kept;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !Allowed(pair.substr(0, equals))) continue;
    kept.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  clearenv();
  for (const auto& [name, value] : kept) setenv(name.c_str(), value.c_str(), 1);
}

template <typename T>
bool ParseId(const std::string& text, T& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

void HardenProcess() {
  ClearEnvironment();
  // A later open() must not land on 0, 1 or 2 and be written to as if it were the terminal.
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // Facts that nobody can read must not end in exit code 0: there, writing fails.
    if (open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0) break;
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
#ifndef STRONGROOM_SANITIZED
  prctl(PR_SET_DUMPABLE, 0);
#endif
  std::signal(SIGPIPE, SIG_IGN);
  umask(0077);
}

std::string UserName(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(uid);
}

Result<uid_t> FindUser(const std::string& name) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_uid;
  }
  uid_t uid = 0;
  if (ParseId(name, uid)) return uid;
  return Fail(Code::kNotFound, "no such user");
}

Result<gid_t> FindGroup(const std::string& name) {
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->gr_gid;
  }
  gid_t gid = 0;
  if (ParseId(name, gid)) return gid;
  return Fail(Code::kNotFound, "no such group");
}

std::vector<gid_t> GroupsOf(uid_t uid, gid_t primary) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {primary};
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  if (getgrouplist(found->pw_name, primary, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (getgrouplist(found->pw_name, primary, groups.data(), &count) < 0) return {primary};
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

std::vector<uid_t> UsersOf(gid_t gid) {
  std::vector<uid_t> users;
  const auto add = [&users](uid_t uid) {
    if (std::find(users.begin(), users.end(), uid) == users.end()) users.push_back(uid);
  };
  std::vector<char> buffer(1 << 16);
  group entry{};
  group* found = nullptr;
  if (getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    for (char** member = found->gr_mem; *member != nullptr; ++member) {
      if (const auto uid = FindUser(*member)) add(*uid);
    }
  }
  setpwent();
  while (const passwd* user = getpwent()) {
    if (user->pw_gid == gid) add(user->pw_uid);
  }
  endpwent();
  return users;
}

std::uint64_t PidStart(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  // The name in field 2 may hold spaces and brackets: count from the last one.
  const std::size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream rest(text.substr(after_name + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) rest >> field;
  std::uint64_t start = 0;
  return ParseId(field, start) ? start : 0;
}

std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace strongroom::base
