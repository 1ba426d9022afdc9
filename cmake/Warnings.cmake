# The compiler as reviewer (warnings) and as the last line of defence (hardening), per compiler.
set(STRONGROOM_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND STRONGROOM_WARNINGS -Wduplicated-cond -Wlogical-op -Wuseless-cast)
endif()

set(STRONGROOM_HARDENING -fPIE -pthread -fstack-protector-strong -fcf-protection=full -ftrivial-auto-var-init=zero
    -fstack-clash-protection)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses what it deprecates itself (std::stable_sort); g++ still says when we do.
  list(APPEND STRONGROOM_WARNINGS -Wno-gnu-zero-variadic-macro-arguments -Wno-deprecated-declarations)
endif()
if(NOT STRONGROOM_SANITIZE)
  list(APPEND STRONGROOM_HARDENING -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12's false alarms inside libstdc++ (its bugs 105329, 105651) are silent there, but not from a precompiled header.
  list(APPEND STRONGROOM_WARNINGS -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
endif()
