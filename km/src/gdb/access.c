// SPDX-License-Identifier: Apache-2.0
/*
 * access.c: gdb's commands that read and write a stopped payload: registers, memory, breakpoints.
 */
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "task/task.h"

#include <stdlib.h>

static void answer_registers(const struct packet *packet, struct freezable *thread,
                             struct packet *reply)
{
    static struct cpu_state state;
    char *rest;
    unsigned number = (unsigned)strtoul(packet->data + 1, &rest, 16);
    bool done = true;

    freeze_get_state(thread, &state);
    switch (packet->data[0]) {
    case 'g':
        registers_read_all(&state, reply);
        return;
    case 'p':
        done = registers_read(&state, number, reply);
        break;
    case 'G':
        done = registers_write_all(&state, packet->data + 1);
        break;
    default: /* P */
        done = *rest == '=' && registers_write(&state, number, rest + 1);
    }
    if (done && packet->data[0] != 'p') {
        freeze_set_state(thread, &state);
        packet_put(reply, "OK");
    } else if (!done) {
        packet_put(reply, "E16"); /* EINVAL */
    }
}

static void answer_read(const struct packet *packet, struct packet *reply)
{
    static uint8_t bytes[PACKET_SIZE / 2 - 32];
    char *rest;
    uint64_t addr = strtoul(packet->data + 1, &rest, 16);
    size_t size = *rest == ',' ? strtoul(rest + 1, NULL, 16) : 0, n;

    n = memory_read(addr, bytes, size < sizeof(bytes) ? size : sizeof(bytes));
    if (n || !size) {
        packet_put_hex(reply, bytes, n);
    } else {
        packet_put(reply, "E0e"); /* EFAULT */
    }
}

/* `}` stands before a byte that was changed so that the frame of the packet is not in it. */
static size_t decode_binary(const char *from, const char *end, uint8_t *to, size_t size)
{
    size_t n = 0;

    for (; from < end && n < size; from++) {
        to[n++] = (uint8_t)(*from == '}' && from + 1 < end ? *++from ^ 0x20 : *from);
    }
    return n;
}

static void answer_write(const struct packet *packet, struct packet *reply)
{
    static uint8_t bytes[PACKET_SIZE];
    char *rest;
    uint64_t addr = strtoul(packet->data + 1, &rest, 16);
    size_t size = *rest == ',' ? strtoul(rest + 1, &rest, 16) : 0, n = 0;

    if (*rest == ':' && size <= sizeof(bytes)) {
        n = packet->data[0] == 'X'
                ? decode_binary(rest + 1, packet->data + packet->size, bytes, sizeof(bytes))
                : hex_decode(rest + 1, bytes, sizeof(bytes));
    }
    if (*rest != ':' || n != size) {
        packet_put(reply, "E16");
    } else {
        packet_put(reply, memory_write(addr, bytes, size) == size ? "OK" : "E0e");
    }
}

/* Z0,ADDR,KIND and z0: in software; other kinds gdb makes of these and of steps. */
static void answer_breakpoint(const struct packet *packet, struct packet *reply)
{
    uint64_t addr;
    bool done;

    if (packet->data[1] != '0' || packet->data[2] != ',') {
        return;
    }
    addr = strtoul(packet->data + 3, NULL, 16);
    done = packet->data[0] == 'Z' ? breakpoint_insert(addr) : breakpoint_remove(addr);
    packet_put(reply, done ? "OK" : "E0e");
}

bool access_answer(const struct packet *packet, struct freezable *thread, struct packet *reply)
{
    switch (packet->data[0]) {
    case 'g':
    case 'G':
    case 'p':
    case 'P':
        answer_registers(packet, thread, reply);
        return true;
    case 'm':
        answer_read(packet, reply);
        return true;
    case 'M':
    case 'X':
        answer_write(packet, reply);
        return true;
    case 'Z':
    case 'z':
        answer_breakpoint(packet, reply);
        return true;
    default:
        return false;
    }
}
