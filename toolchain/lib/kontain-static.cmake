# SPDX-License-Identifier: Apache-2.0
# Read by CMake after its own rules, by order of kontain.cmake: find_library takes archives alone.

set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
