// SPDX-License-Identifier: Apache-2.0
/*
 * stub_code.S: the code at SYSCALL's target in the guest, which stub.c copies for each vCPU. Its
 * data, struct stub_data, is the page after it.
 *
 * SYSCALL left the return address in RCX and the flags in R11; every other register is the
 * payload's, the stack too, which is not touched. No instruction here changes the flags: on PVM
 * they stay what they are, on hardware SYSRET takes them from R11. A call that neither this code,
 * from a table of values, nor the helper answers leaves by `out` with all registers as they came.
 * Up to stub_saved nothing has changed; after it stub_data has what has. From stub_taken on a
 * result of the helper's has been taken.
 */
    .section .note.GNU-stack, "", @progbits
    .section .rodata

#define DATA stub_code + 4096
#define SAVED_RCX DATA
#define SAVED_R11 DATA + 8
#define SAVED_RAX DATA + 16
#define NUMBER DATA + 24 /* 4 bytes, and zeroes */
#define KIND DATA + 32   /* by number, 512 bytes: 0, or which value is the answer, from 1 on */
#define KIND_HELPED 7    /* none is: the helper is asked */
#define SPECIAL DATA + 544 /* by the second byte of the flags, 256 bytes: not 0 for TF, DF, NT */
#define VALUE DATA + 800
#define WATCHED DATA + 848
#define SPINS DATA + 856
#define ARGS DATA + 896
#define CALL DATA + 944
#define STATE DATA + 948
#define POSTED 1
#define DONE 2
#define REFUSED 3
#define RESULT DATA + 952
#define ISLAND DATA + 864
#define ISLAND_NEXT 0 /* in struct island */
#define ISLAND_NUMBER 8
#define SITE_RSP DATA + 872
#define SITE_STACK DATA + 888 /* 8 bytes below it, for the flags */
#define KIND_MASK 8 /* rt_sigprocmask(2) */
#define MASK_CALL 14
#define MASK DATA + 960
#define HELD_BACK DATA + 968
#define OLD_MASK DATA + 976
#define MASK_NEXT DATA + 984
#define MASK_FLAGS DATA + 992
#define BY_SITE DATA + 1000
#define KIND_ROBUST 9 /* set_robust_list(2) */
#define ROBUST_SIZE 24
#define ROBUST_NEXT DATA + 1008
#define ROBUST_NAMED DATA + 1016
#define SITE_FLAGS DATA + 880 /* what SITE_STACK has room for */
#define BUDGET DATA + 888 /* how often it may be answered here before it leaves */

/*
 * Post the call in EAX to the helper, and wait for it: to 8f when it is done, to `away` where the
 * helper refuses, or is not done after some turns, which `turns` counts. RCX is lost.
 */
.macro ASK turns, away
    movq %rdi, ARGS(%rip)
    movq %rsi, ARGS + 8(%rip)
    movq %rdx, ARGS + 16(%rip)
    movq %r10, ARGS + 24(%rip)
    movq %r8, ARGS + 32(%rip)
    movq %r9, ARGS + 40(%rip)
    movl %eax, CALL(%rip)
    movl $POSTED, STATE(%rip)
    movq SPINS(%rip), \turns
6:  pause
    movl STATE(%rip), %ecx
    leal -DONE(%rcx), %ecx
    jrcxz 8f
    leal DONE - REFUSED(%rcx), %ecx
    jrcxz \away
    leaq -1(\turns), \turns
    movq \turns, %rcx
    jrcxz \away
    jmp 6b
.endm

/*
 * set_robust_list(RDI list, RSI size): note that the list is named which the monitor expects; to
 * `away` when it is another. RCX and RAX are lost. Begun twice it does the same.
 */
.macro ROBUST away
    movq ROBUST_NEXT(%rip), %rcx
    notq %rcx
    leaq 1(%rcx, %rdi), %rcx /* RDI - it */
    jrcxz 11f
    jmp \away
11: leaq -ROBUST_SIZE(%rsi), %rcx
    jrcxz 12f
    jmp \away
12: movl $1, ROBUST_NAMED(%rip)
    movl $0, %eax
.endm

.macro STUB prefix, leave:vararg
    .globl \prefix\()_code, \prefix\()_saved, \prefix\()_out, \prefix\()_taken, \prefix\()_end
\prefix\()_code:
    .set stub_code, \prefix\()_code
    movq %rcx, SAVED_RCX(%rip)
    movq %r11, SAVED_R11(%rip)
    movq %rax, SAVED_RAX(%rip)
\prefix\()_saved:
    movl %eax, NUMBER(%rip)
    movl NUMBER + 1(%rip), %ecx
    jrcxz 2f
    leal -1(%rcx), %ecx
    jrcxz 2f
1:  movq SAVED_RCX(%rip), %rcx
    movq SAVED_R11(%rip), %r11
\prefix\()_out:
    outb %al, $0x10 /* PORT_SYSCALL */
    \leave
2:  movzbl SAVED_R11 + 1(%rip), %ecx
    leaq SPECIAL(%rip), %r11
    movzbl (%r11, %rcx), %ecx
    jrcxz 3f
    jmp 1b
3:  movzbl SAVED_R11 + 2(%rip), %ecx /* AC and above */
    jrcxz 4f
    jmp 1b
4:  movl %eax, %ecx
    leaq KIND(%rip), %r11
    movzbl (%r11, %rcx), %ecx
    jrcxz 7f
    movq %rcx, %r11
    movl BUDGET(%rip), %ecx
    jrcxz 7f
    leal -1(%rcx), %ecx
    movl %ecx, BUDGET(%rip)
    .ifc \prefix, pvm_stub
    leaq -KIND_MASK(%r11), %rcx
    jrcxz 9f
    leaq -KIND_ROBUST(%r11), %rcx
    jrcxz 10f
    .endif
    leaq -KIND_HELPED(%r11), %rcx
    jrcxz 5f
    leaq VALUE + 8 * (KIND_HELPED - 1)(%rip), %r11
    movq (%r11, %rcx, 8), %rax
    movq SAVED_RCX(%rip), %rcx
    movq SAVED_R11(%rip), %r11
    \leave
    .ifc \prefix, pvm_stub
9:  movq SAVED_RCX(%rip), %rcx
    movq %rcx, MASK_NEXT(%rip)
    movq SAVED_R11(%rip), %r11
    movq %r11, MASK_FLAGS(%rip)
    movq $0, BY_SITE(%rip)
    jmp pvm_stub_mask
10: jmp 13f
    .endif
7:  jmp 1b
5:  movl WATCHED(%rip), %ecx
    jrcxz 7b
    ASK %r11, 7b
    .ifc \prefix, pvm_stub
13: ROBUST 7b
    movq SAVED_RCX(%rip), %rcx
    movq SAVED_R11(%rip), %r11
    \leave
    .endif
8:  movq RESULT(%rip), %rax
    movl $0, STATE(%rip)
\prefix\()_taken:
    movq SAVED_RCX(%rip), %rcx
    movq SAVED_R11(%rip), %r11
    \leave
\prefix\()_end:
.endm

    .balign 16
    STUB pvm_stub, jmp *%rcx

/*
 * Here islands lead, with the address of struct island in one register; every other register and the
 * flags are the payload's, which expects what SYSCALL makes of them. On the way nothing is changed
 * but RAX, RCX and R11, which are saved as far as they are not known, and RSP for as long as the flags
 * are read. Where it says so in stub.c, a vCPU that is interrupted is set back to before the call, or
 * on to after it.
 *
 * Of a site that loads the number its island knows it, and comes with itself in RAX; `kept` is RCX.
 * Any other has the number in RAX, and its island comes in RCX, which the call loses: `kept` is RAX.
 */
.macro SITE prefix, island, kept, place, number:vararg
    .globl \prefix, \prefix\()_saved, \prefix\()_switched, \prefix\()_back
    .globl \prefix\()_answered, \prefix\()_asks, \prefix\()_taken, \prefix\()_end
    .balign 16
\prefix:
    movq \kept, \place(%rip)
    movq %r11, SAVED_R11(%rip)
    movq \island, ISLAND(%rip)
\prefix\()_saved:
    movq %rsp, SITE_RSP(%rip)
    leaq SITE_STACK(%rip), %rsp
\prefix\()_switched:
    pushfq
    popq %r11
    movq SITE_RSP(%rip), %rsp
\prefix\()_back:
    .ifc \island, %rcx
    movl %eax, NUMBER(%rip)
    movzwl NUMBER + 2(%rip), %ecx /* all reads are aligned: AC may be set */
    jrcxz 3f
    jmp 1f
3:  movzbl NUMBER + 1(%rip), %ecx
    jrcxz 3f
    leal -1(%rcx), %ecx
    jrcxz 3f
    jmp 1f
3:  movl %eax, %eax
    .else
    movl ISLAND_NUMBER(%rax), %eax
    .endif
    leaq KIND(%rip), %rcx
    movzbl (%rcx, %rax), %ecx
    jrcxz 1f
    leaq -KIND_HELPED(%rcx), %rcx
    jrcxz 2f
    leaq KIND_HELPED - KIND_MASK(%rcx), %rcx
    jrcxz 9f
    leaq KIND_MASK - KIND_ROBUST(%rcx), %rcx
    jrcxz 10f
    leaq VALUE + 8 * (KIND_ROBUST - 1)(%rip), %rax
    movq (%rax, %rcx, 8), %rax
    movq ISLAND(%rip), %rcx
\prefix\()_answered:
    movq ISLAND_NEXT(%rcx), %rcx
    jmp *%rcx
\prefix\()_asks:
1:  movq ISLAND(%rip), %rcx
    \number
    movq ISLAND_NEXT(%rcx), %rcx
    jmp pvm_stub_out
9:  movq ISLAND(%rip), %rcx
    movq ISLAND_NEXT(%rcx), %rcx
    movq %rcx, MASK_NEXT(%rip)
    movq %r11, MASK_FLAGS(%rip)
    movq $1, BY_SITE(%rip)
    jmp pvm_stub_mask
10: jmp 13f
2:  movl WATCHED(%rip), %ecx
    jrcxz 1b
    ASK %rax, 5f
5:  jmp 1b
13: ROBUST 1b
    movq ISLAND(%rip), %rcx
    movq ISLAND_NEXT(%rcx), %rcx
    jmp *%rcx
8:  movq RESULT(%rip), %rax
    movl $0, STATE(%rip)
\prefix\()_taken:
    movq ISLAND(%rip), %rcx
    movq ISLAND_NEXT(%rcx), %rcx
    jmp *%rcx
\prefix\()_end:
.endm

    SITE pvm_stub_site, %rax, %rcx, SAVED_RCX, movl ISLAND_NUMBER(%rcx), %eax
    SITE pvm_stub_any, %rcx, %rax, SAVED_RAX, movq SAVED_RAX(%rip), %rax

/*
 * rt_sigprocmask(RDI how, RSI new, RDX old, R10 size) by the payload's own mask in the data: of a set
 * that is given, and as long as no signal is unblocked that KVM holds back. MASK_NEXT is where the call
 * goes on, MASK_FLAGS the payload's flags. RAX, RCX and R11 are free; the flags are restored. Up to
 * _changed nothing has changed but these; from _given on all that remains is to return. Both pointers
 * are read and written with the payload's rights: what faults, KVM's monitor finds here.
 */
    .set stub_code, pvm_stub_code
    .globl pvm_stub_mask, pvm_stub_mask_changed, pvm_stub_mask_given, pvm_stub_mask_switched
    .globl pvm_stub_mask_back, pvm_stub_mask_end
    .balign 16
pvm_stub_mask:
    leaq -8(%r10), %rcx
    jrcxz 1f
    jmp 9f
1:  movq %rsi, %rcx
    jrcxz 9f
    movq (%rsi), %rax
    movq MASK(%rip), %r11
    movl %edi, %ecx
    jrcxz 2f
    leal -1(%rcx), %ecx
    jrcxz 3f
    leal -1(%rcx), %ecx
    jrcxz 4f
    jmp 9f
2:  orq %r11, %rax /* SIG_BLOCK */
    jmp 4f
3:  notq %rax /* SIG_UNBLOCK */
    andq %r11, %rax
4:  andq $~0x40100, %rax /* SIGKILL, SIGSTOP */
    movq %r11, OLD_MASK(%rip)
    movq %rax, %rcx
    notq %rcx
    andq HELD_BACK(%rip), %rcx
    jrcxz 5f
9:  movl $MASK_CALL, %eax
    movq MASK_FLAGS(%rip), %r11
    movq MASK_NEXT(%rip), %rcx
    jmp pvm_stub_out
5:  movq %rax, MASK(%rip)
pvm_stub_mask_changed:
    movq %rdx, %rcx
    jrcxz pvm_stub_mask_given
    movq %r11, (%rdx)
pvm_stub_mask_given:
    movq MASK_FLAGS(%rip), %r11
    movq %r11, SITE_FLAGS(%rip)
    movq %rsp, SITE_RSP(%rip)
    leaq SITE_FLAGS(%rip), %rsp
pvm_stub_mask_switched:
    popfq
    movq SITE_RSP(%rip), %rsp
pvm_stub_mask_back:
    movl $0, %eax
    movq MASK_NEXT(%rip), %rcx
    jmp *%rcx
pvm_stub_mask_end:

    .balign 16
    STUB hardware_stub, sysretq
