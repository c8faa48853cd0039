# SPDX-License-Identifier: Apache-2.0
# gcc and make -j: objects, an archive, a shared library, a program that uses both, and g++.
mkdir src
for n in $(seq 12); do
    echo "int part$n(int x) { int s = 0; for (int i = 0; i <= x; i++) s += i * $n; return s; }" > src/part$n.c
done
cat > src/main.cc <<'END'
#include <algorithm>
#include <future>
#include <iostream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>
extern "C" int part7(int);
extern "C" int part12(int);
int main()
{
    std::vector<int> v(1000);
    std::iota(v.begin(), v.end(), 0);
    std::map<std::string, int> m{{"a", part7(10)}, {"b", part12(10)}};
    auto sum = std::async(std::launch::async, [&] { return std::accumulate(v.begin(), v.end(), 0); });
    try {
        throw std::runtime_error("thrown and caught");
    } catch (const std::exception &e) {
        std::cout << e.what() << ' ' << sum.get() << ' ' << m["a"] << ' ' << m["b"] << std::endl;
    }
}
END
cat > Makefile <<'END'
PARTS := $(wildcard src/*.c)
program: main.o libparts.so libparts.a
	$(CXX) -o $@ main.o -L. -lparts -Wl,-rpath,'$$ORIGIN'
libparts.so: $(PARTS:.c=.o)
	$(CC) -shared -o $@ $^
libparts.a: $(PARTS:.c=.o)
	$(AR) rcsD $@ $^
main.o: src/main.cc
	$(CXX) -O1 -c -o $@ $<
%.o: %.c
	$(CC) -O2 -fPIC -c -o $@ $<
END
make -s -j 4 && ./program
nm libparts.a | grep -c ' T '; objdump -d libparts.so | grep -c '<part'; strip program && ./program
make -s -j 4 -q; echo "up to date $?"
echo 'int main(void) { return x; }' > wrong.c; gcc wrong.c 2>&1 | grep -o 'error: .*'
echo 'int main(void) { return __builtin_popcount(255); }' | gcc -O2 -static -flto -x c - -o static && ./static; echo $?
touch -d @0 ./* src/*
