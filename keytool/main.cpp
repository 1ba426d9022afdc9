#include "base/process.h"
#include "keytool/cli.h"

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  return strongroom::keytool::Run(argc, argv);
}
