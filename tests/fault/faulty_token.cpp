// A PKCS#11 module that is SoftHSM's but for one fault, which STRONGROOM_TOKEN_FAULT names, or, for vaultd, which does not keep
// that variable, the file $SOFTHSM2_CONF.fault:
//   flags:N      C_GetTokenInfo adds these flags (CKF_USER_PIN_FINAL_TRY …)
//   login:N      C_Login answers N (a CKR_ number) instead of asking
//   encrypt      C_Encrypt spoils what it made
//   decrypt:N    C_Decrypt answers N
//   wait:FILE    C_Login waits until FILE is there; wait_start:FILE C_Initialize, wait_decrypt:FILE C_Decrypt, and
//                wait_encrypt:FILE C_Encrypt, which then fails, and makes FILE.wiped
//                where the plaintext is all zeros by then. FILE.asked is there while it waits
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {

CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST faulty;

std::string ReadFault() {
  if (const char* const fault = std::getenv("STRONGROOM_TOKEN_FAULT")) return fault;
  const char* const configuration = std::getenv("SOFTHSM2_CONF");
  std::string fault;
  if (configuration != nullptr) std::getline(std::ifstream(configuration + std::string(".fault")), fault);
  return fault;
}

// Argument is what stands behind "NAME:" in the fault; nullptr where another fault is meant. It is good until the next call.
const char* Argument(const std::string& name) {
  thread_local std::string fault;
  fault = ReadFault();
  return fault.rfind(name, 0) == 0 ? fault.c_str() + name.size() : nullptr;
}

// Waits is the FILE that was waited for, "" where another fault is meant.
std::string Waits(const std::string& name) {
  const char* const argument = Argument(name);
  if (argument == nullptr) return "";
  const std::string file = argument;
  std::ofstream(file + ".asked") << "waiting";
  while (access(file.c_str(), F_OK) != 0) usleep(1000);
  return file;
}

// The asker wipes what it lent while the module has it, on purpose: no race for a sanitizer to report.
__attribute__((no_sanitize("thread"))) bool IsWiped(const volatile CK_BYTE* bytes, CK_ULONG size) {
  for (CK_ULONG i = 0; i < size; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

CK_RV Initialize(void* arguments) {
  Waits("wait_start:");
  return real->C_Initialize(arguments);
}

CK_RV GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV answer = real->C_GetTokenInfo(slot, info);
  if (const char* flags = Argument("flags:")) info->flags |= std::strtoul(flags, nullptr, 0);
  return answer;
}

CK_RV Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  if (const char* answer = Argument("login:")) return std::strtoul(answer, nullptr, 0);
  Waits("wait:");
  return real->C_Login(session, user, pin, size);
}

CK_RV Encrypt(CK_SESSION_HANDLE session, CK_BYTE* plain, CK_ULONG size, CK_BYTE* sealed, CK_ULONG* sealed_size) {
  if (const std::string file = Waits("wait_encrypt:"); !file.empty()) {
    if (IsWiped(plain, size)) std::ofstream(file + ".wiped") << "yes";
    return CKR_DEVICE_ERROR;
  }
  const CK_RV answer = real->C_Encrypt(session, plain, size, sealed, sealed_size);
  if (Argument("encrypt") != nullptr) sealed[0] ^= 1;
  return answer;
}

CK_RV Decrypt(CK_SESSION_HANDLE session, CK_BYTE* sealed, CK_ULONG size, CK_BYTE* plain, CK_ULONG* plain_size) {
  Waits("wait_decrypt:");
  const CK_RV answer = real->C_Decrypt(session, sealed, size, plain, plain_size);
  const char* const instead = Argument("decrypt:");
  return instead == nullptr ? answer : std::strtoul(instead, nullptr, 0);
}

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  void* const library = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return CKR_GENERAL_ERROR;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  const CK_RV got = get(&real);
  if (got != CKR_OK) return got;
  faulty = *real;
  faulty.C_Initialize = Initialize;
  faulty.C_GetTokenInfo = GetTokenInfo;
  faulty.C_Login = Login;
  faulty.C_Encrypt = Encrypt;
  faulty.C_Decrypt = Decrypt;
  *list = &faulty;
  return CKR_OK;
}
