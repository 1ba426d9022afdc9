// Syslog: a record as a syslog message (RFC 5424), for whoever collects lines.
#pragma once

#include <map>
#include <string>

#include "audit/logs.h"
#include "audit/record.h"

namespace strongroom::audit {

// Hosts is the host of each node, as it gave its name when it joined.
using Hosts = std::map<std::string, std::string>;
Result<Hosts> ReadHosts(sql::Database& database);

// SyslogMessage is one message without a newline: facility 13 (log audit), severity informational, warning or error by the
// outcome; HOSTNAME of the record's node, "-" where it is not known; PROCID the boot, MSGID the action; MSG is the BOM and the
// record's exact bytes. Its structured data are under the number that RFC 5612 keeps for examples.
std::string SyslogMessage(const Entry& entry, const Hosts& hosts);

}  // namespace strongroom::audit
