// The command line of auditlog.
#pragma once

#include "audit/live.h"

namespace strongroom::audit {

// RunAuditlog does what the arguments say and returns the exit code. verify: 0 verified, 1 does not verify, 2 could
// not check, 3 verified and nothing signed vouches for the end. Others: 0 done, 1 refused or failed. All: 2 where the arguments
// make no sense. Through `live`, where there is one, reads of a home's trail are recorded; copies are read without a word.
int RunAuditlog(int argc, const char* const* argv, Live* live = nullptr);

}  // namespace strongroom::audit
