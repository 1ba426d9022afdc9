#include "tests/vault/soft_token.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

CK_BYTE* Lent(const char* text) { return reinterpret_cast<CK_BYTE*>(const_cast<char*>(text)); }

// InSession runs `work` logged in on the first token.
void InSession(const std::function<void(CK_FUNCTION_LIST&, CK_SESSION_HANDLE)>& work) {
  void* const library = dlopen(SoftToken::Module().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  REQUIRE(library != nullptr);
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* api = nullptr;
  REQUIRE(get(&api) == CKR_OK);
  REQUIRE(api->C_Initialize(nullptr) == CKR_OK);
  std::array<CK_SLOT_ID, 8> slots{};
  CK_ULONG count = slots.size();
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  REQUIRE(api->C_GetSlotList(CK_TRUE, slots.data(), &count) == CKR_OK);
  REQUIRE(api->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session) == CKR_OK);
  REQUIRE(api->C_Login(session, CKU_USER, Lent(SoftToken::kPin), std::string_view(SoftToken::kPin).size()) == CKR_OK);
  work(*api, session);
  REQUIRE(api->C_Finalize(nullptr) == CKR_OK);
}

}  // namespace

SoftToken::SoftToken() {
  std::string pattern = (fs::temp_directory_path() / "strongroom-token-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  fs::create_directory(Path("tokens"));
  std::ofstream(Configuration()) << "directories.tokendir = " << Path("tokens") << "\nobjectstore.backend = file\n";
  REQUIRE(setenv("SOFTHSM2_CONF", Configuration().c_str(), 1) == 0);
  MakeToken("strongroom");
}

SoftToken::~SoftToken() {
  unsetenv("SOFTHSM2_CONF");
  Fail("");
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string SoftToken::Module() {
  for (const char* path : {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"}) {
    if (fs::exists(path)) return path;
  }
  FAIL("SoftHSM is not installed: scripts/install-packages test");
  return "";
}

void SoftToken::Unplug() const { fs::rename(Path("tokens"), Path("away")); }
void SoftToken::Plug() const { fs::rename(Path("away"), Path("tokens")); }

void SoftToken::Fail(const std::string& fault) { setenv("STRONGROOM_TOKEN_FAULT", fault.c_str(), 1); }

void SoftToken::MakeToken(const std::string& label) const {
  const std::string command = "softhsm2-util --init-token --free --label '" + label + "' --pin " + kPin +
                              " --so-pin security-officer >" + Path("util.out") + " 2>&1";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

void SoftToken::MakeKey(const std::string& label, const Kind& kind) const {
  InSession([&](CK_FUNCTION_LIST& api, CK_SESSION_HANDLE session) {
    CK_BBOOL yes = CK_TRUE, sensitive = kind.sensitive ? CK_TRUE : CK_FALSE, extractable = kind.extractable ? CK_TRUE : CK_FALSE;
    CK_ULONG bytes = kind.bytes;
    std::vector<CK_ATTRIBUTE> made{{CKA_TOKEN, &yes, 1},
                                   {CKA_PRIVATE, &yes, 1},
                                   {CKA_SENSITIVE, &sensitive, 1},
                                   {CKA_EXTRACTABLE, &extractable, 1},
                                   {CKA_ENCRYPT, &yes, 1},
                                   {CKA_DECRYPT, &yes, 1},
                                   {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                                   {CKA_LABEL, Lent(label.c_str()), label.size()}};
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    REQUIRE(api.C_GenerateKey(session, &mechanism, made.data(), made.size(), &key) == CKR_OK);
  });
}

int SoftToken::DestroyKeys(const std::string& label) const {
  CK_ULONG count = 0;
  InSession([&](CK_FUNCTION_LIST& api, CK_SESSION_HANDLE session) {
    CK_ATTRIBUTE wanted{CKA_LABEL, Lent(label.c_str()), label.size()};
    std::array<CK_OBJECT_HANDLE, 8> found{};
    REQUIRE(api.C_FindObjectsInit(session, &wanted, 1) == CKR_OK);
    REQUIRE(api.C_FindObjects(session, found.data(), found.size(), &count) == CKR_OK);
    api.C_FindObjectsFinal(session);
    for (CK_ULONG i = 0; i < count; ++i) REQUIRE(api.C_DestroyObject(session, found[i]) == CKR_OK);
  });
  return static_cast<int>(count);
}

}  // namespace strongroom::vault
