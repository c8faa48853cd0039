// SPDX-License-Identifier: Apache-2.0
// note.S: the ELF note "Kontain" of a payload; its text is the version of gcc-kontain that linked it.
    .section .note.kontain, "a", @note
    .balign 4
    .long 2f - 1f // the name's size, with its NUL
    .long 4f - 3f // the text's size, with its NUL
    .long 1       // the type: version
1:  .asciz "Kontain"
2:  .balign 4
3:  .asciz KONTAIN_VERSION
4:  .balign 4
    .section .note.GNU-stack, "", @progbits
