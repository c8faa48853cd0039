# SPDX-License-Identifier: Apache-2.0
"""ctypes and mmap: C code that calls Python back, memory shared over fork, files as memory."""

import ctypes
import mmap
import os
import subprocess
import sys

MAP_NORESERVE = 0x4000  # mman.h; Python has no name for it

libc = ctypes.CDLL(None, use_errno=True)

COMPARE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)
)
numbers = (ctypes.c_int * 200)(*((n * 7919) % 1000 for n in range(200)))
libc.qsort(numbers, len(numbers), 4, COMPARE(lambda a, b: a[0] - b[0]))
print(list(numbers) == sorted(numbers), numbers[0], numbers[199])
libc.snprintf(
    text := ctypes.create_string_buffer(50), 50, b"%d %s %.3f", 42, b"words", ctypes.c_double(1.5)
)
print(text.value, libc.open(b"/no/such/file", 0), ctypes.get_errno(), libc.abs(-5))

# mov eax, edi; imul eax, edi; ret
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\x89\xf8\x0f\xaf\xc7\xc3")
square = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(
    ctypes.addressof(ctypes.c_char.from_buffer(code))
)
print([square(n) for n in range(10)])

shared = mmap.mmap(-1, 1 << 20)
private = bytearray(b"parent")
for number in range(5):
    if not os.fork():
        shared[number * 1000 : number * 1000 + 5] = b"child"
        private[:] = b"child!"
        os._exit(0)
    os.wait()
print(shared[:].count(b"child"), bytes(private))

with open("file", "w+b") as file:
    file.write(b"." * 100_000)
    file.flush()
    with mmap.mmap(file.fileno(), 0) as whole:
        whole[50_000:50_005] = b"HELLO"
        whole.flush()
        print(whole.find(b"HELLO"), len(whole))
        whole.move(0, 50_000, 5)
        whole.resize(200_000)
        whole[199_999] = 33
    with mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, offset=4096) as copy:
        copy[:3] = b"mine"[:3]
    with mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_READ, offset=4096) as view:
        print(view[:4], os.stat("file").st_size)

big = mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
for at in range(0, 64 << 30, 1 << 30):
    big[at] = 1
print(sum(big[at] for at in range(0, 64 << 30, 1 << 30)))
area = mmap.mmap(-1, 1 << 20)
area.write(b"x" * (1 << 20))
area.madvise(mmap.MADV_DONTNEED, 0, 1 << 19)
print(area[:].count(b"x"), area[:].count(b"\0"))
crash = "import ctypes; ctypes.string_at(8)"
print(subprocess.run([sys.executable, "-c", crash], capture_output=True, check=False).returncode)
