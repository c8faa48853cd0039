# SPDX-License-Identifier: Apache-2.0
# CMake's toolchain file for payloads: cmake -DCMAKE_TOOLCHAIN_FILE=…/kontain.cmake
#
# All of a project is linked with the static glibc, for C++ is; -DKONTAIN_LIBC=musl suits a project
# of C alone. -DKONTAIN_DYNAMIC=ON links with the loader and shared libraries. What is built also runs
# natively; to have `ctest` run it in virtual machines, add -DCMAKE_CROSSCOMPILING_EMULATOR=…/km.

set(KONTAIN_LIBC glibc CACHE STRING "The libc of the payloads: glibc or musl")
option(KONTAIN_DYNAMIC "Link with the loader and shared libraries" OFF)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KONTAIN_LIBC KONTAIN_DYNAMIC)

get_filename_component(_kontain_bin "${CMAKE_CURRENT_LIST_DIR}/../../bin" ABSOLUTE)
set(CMAKE_C_COMPILER "${_kontain_bin}/gcc-kontain" "--libc=${KONTAIN_LIBC}")
set(CMAKE_CXX_COMPILER "${_kontain_bin}/g++-kontain")

if(KONTAIN_DYNAMIC)
  set(CMAKE_EXE_LINKER_FLAGS_INIT -dynamic)
else()
  set(BUILD_SHARED_LIBS OFF CACHE BOOL "Build shared libraries")
  # CMake would find libz.so, which a static program cannot be linked with.
  set(CMAKE_USER_MAKE_RULES_OVERRIDE "${CMAKE_CURRENT_LIST_DIR}/kontain-static.cmake")
endif()
