# The standard headers that most files include are precompiled once, in an object library of their own; all targets of a
# folder reuse what STRONGROOM_PRECOMPILED names there, which takes the same options in each (-fPIE for libraries too).
# A file still includes what it uses: tests/fuzz/CMakeLists.txt turns them off in its build, which finds who does not.
set(STRONGROOM_PRECOMPILED std_headers)
set(STRONGROOM_PRECOMPILED_HEADERS <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstdio> <cstdlib> <cstring>
    <expected> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <set> <span> <sstream> <string>
    <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

# strongroom_flags(TARGET): what every target of ours is compiled and linked with.
function(strongroom_flags target)
  target_compile_options(${target} PRIVATE ${STRONGROOM_WARNINGS} ${STRONGROOM_HARDENING})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  # Asio 1.22 decides on aligned allocation by which header came first: two files may then disagree about who frees.
  target_compile_definitions(${target} PRIVATE STRONGROOM_VERSION="${PROJECT_VERSION}" ASIO_DISABLE_STD_ALIGNED_ALLOC)
  if(STRONGROOM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${STRONGROOM_SANITIZE} -fno-omit-frame-pointer)
    if(STRONGROOM_SANITIZE MATCHES "undefined")
      target_compile_options(${target} PRIVATE -fno-sanitize-recover=undefined)
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${STRONGROOM_SANITIZE})
    target_compile_definitions(${target} PRIVATE STRONGROOM_SANITIZED=1)
  endif()
  if(target STREQUAL STRONGROOM_PRECOMPILED)
    target_precompile_headers(${target} PRIVATE ${STRONGROOM_PRECOMPILED_HEADERS})
  else()
    target_precompile_headers(${target} REUSE_FROM ${STRONGROOM_PRECOMPILED})
  endif()
  if(STRONGROOM_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Asio 1.22 knows coroutines of clang only by these names.
    target_compile_definitions(${target} PRIVATE ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE)
  endif()
endfunction()

# strongroom_room(NAME SOURCES... [LIBS...]): one folder's library.
function(strongroom_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  strongroom_flags(${name})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# strongroom_program(NAME SOURCES... [LIBS...]): an executable in build/bin, position independent, with every
# symbol bound at start (-z now keeps vector registers with key bytes out of the lazy resolver's stack frames).
function(strongroom_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PRIVATE" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  strongroom_flags(${name})
  target_link_options(${name} PRIVATE -pie -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack)
  target_link_libraries(${name} PRIVATE ${ARG_PRIVATE})
endfunction()

# strongroom_precompiled(): the library that STRONGROOM_PRECOMPILED names, of STRONGROOM_PRECOMPILED_HEADERS.
function(strongroom_precompiled)
  add_library(${STRONGROOM_PRECOMPILED} OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
  strongroom_flags(${STRONGROOM_PRECOMPILED})
endfunction()
