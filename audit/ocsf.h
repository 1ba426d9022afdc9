// OCSF: a record as an event of the Open Cybersecurity Schema Framework (schema.ocsf.io), for whoever collects events.
#pragma once

#include <string>

#include "audit/record.h"

namespace strongroom::audit {

// The version of the schema that events say they are of.
inline constexpr std::string_view kOcsfVersion = "1.1.0";

// OcsfEvent is one JSON object, without a newline: API Activity (6003) for what only reads, Entity Management (3004) for what
// changes something, Authentication (3002) for opening and closing the vault and for strangers, Application Lifecycle (6002) for
// vaultd itself; an action that is not known is API Activity, Other. `raw_data` is the record's exact bytes, `unmapped` has its
// seq and leaf hash, `metadata.uid` its log and seq.
std::string OcsfEvent(const Entry& entry);

}  // namespace strongroom::audit
