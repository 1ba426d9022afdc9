#include "audit/cli.h"
#include "base/process.h"

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  return strongroom::audit::RunAuditlog(argc, argv);
}
