#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gcc and make: a real program from its sources, two jobs at a time, with its own tests.
mkdir /tmp/b && cd /tmp/b && tar xf /sources/bzip2_*.orig.tar.* --strip-components=1 || exit
make -j2 >/tmp/made 2>&1
echo "make $?"
make test 2>&1 | grep -c '^cmp'
./bzip2 -c manual.xml | ./bzip2 -dc | cmp - manual.xml && echo same
make -q bzip2
echo "again $?"
printf '#include <iostream>\n#include <thread>\nint main() { std::thread([] { std::cout << "c++\\n"; }).join(); }\n' >t.cc
g++ -O2 -flto=2 -o t t.cc && ./t
