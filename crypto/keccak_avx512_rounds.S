/* keccak_avx512_rounds.S: the permutation of eight states in 512-bit registers. In assembly, as the
 * 25 words and 7 temporaries just fill the 32 registers, which compilers do not see: gcc 12 spills
 * 35 times in two rounds. A round is 90 operations for two ports; about 47 cycles are reached.
 *
 * Word (x, y) stands in register x + 5 * ((u * x + v * y) mod 5): a row's five results take the
 * places of the five words that went into it, in an order that puts every word back after four
 * rounds: (u, v) = (0, 1), (1, 2), (3, 4), (2, 3). (Keccak implementation overview 3.2, 2.5.) */
#ifdef __x86_64__

/* Rotations by whole bytes go to the port that the others leave alone. */
.macro ROTATE to, from, n
.if \n == 0
    vmovdqa64 %zmm\from, %zmm\to
.elseif \n == 8
    vpshufb rotate8(%rip), %zmm\from, %zmm\to
.elseif \n == 56
    vpshufb rotate56(%rip), %zmm\from, %zmm\to
.else
    vprolq $\n, %zmm\from, %zmm\to
.endif
.endm

/* to = a ^ b ^ c ^ d ^ e */
.macro COLUMN to, a, b, c, d, e
    vmovdqa64 %zmm\a, %zmm\to
    vpternlogq $0x96, %zmm\c, %zmm\b, %zmm\to
    vpternlogq $0x96, %zmm\e, %zmm\d, %zmm\to
.endm

/* Adds left ^ (right rotated by one) to the words of a column. */
.macro ADD left, right, a, b, c, d, e
    vprolq $1, %zmm\right, %zmm30
    vpternlogq $0x96, %zmm30, %zmm\left, %zmm\a
    vpternlogq $0x96, %zmm30, %zmm\left, %zmm\b
    vpternlogq $0x96, %zmm30, %zmm\left, %zmm\c
    vpternlogq $0x96, %zmm30, %zmm\left, %zmm\d
    vpternlogq $0x96, %zmm30, %zmm\left, %zmm\e
.endm

/* to = a ^ (~b & c) */
.macro CHI to, a, b, c
    vmovdqa64 %zmm\a, %zmm\to
    vpternlogq $0xd2, %zmm\c, %zmm\b, %zmm\to
.endm

/* The words a to e, rotated, give the row whose words go to p to t: the same registers. */
.macro ROW a, ra, b, rb, c, rc, d, rd, e, re, p, q, r, s, t
    ROTATE 25, \a, \ra
    ROTATE 26, \b, \rb
    ROTATE 27, \c, \rc
    ROTATE 28, \d, \rd
    ROTATE 29, \e, \re
    CHI \p, 25, 26, 27
    CHI \q, 26, 27, 28
    CHI \r, 27, 28, 29
    CHI \s, 28, 29, 25
    CHI \t, 29, 25, 26
.endm

/* A round, given where words 0 to 24 stand; its constant is at %rax + rc. */
.macro ROUND rc, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24
    COLUMN 25, \a0, \a5, \a10, \a15, \a20
    COLUMN 26, \a1, \a6, \a11, \a16, \a21
    COLUMN 27, \a2, \a7, \a12, \a17, \a22
    COLUMN 28, \a3, \a8, \a13, \a18, \a23
    COLUMN 29, \a4, \a9, \a14, \a19, \a24
    ADD 29, 26, \a0, \a5, \a10, \a15, \a20
    ADD 26, 28, \a2, \a7, \a12, \a17, \a22
    ADD 28, 25, \a4, \a9, \a14, \a19, \a24
    ADD 25, 27, \a1, \a6, \a11, \a16, \a21
    ADD 27, 29, \a3, \a8, \a13, \a18, \a23
    ROW \a0, 0, \a6, 44, \a12, 43, \a18, 21, \a24, 14, \a0, \a6, \a12, \a18, \a24
    vpxorq \rc(%rax){1to8}, %zmm\a0, %zmm\a0
    ROW \a3, 28, \a9, 20, \a10, 3, \a16, 45, \a22, 61, \a10, \a16, \a22, \a3, \a9
    ROW \a1, 1, \a7, 6, \a13, 25, \a19, 8, \a20, 18, \a20, \a1, \a7, \a13, \a19
    ROW \a4, 27, \a5, 36, \a11, 10, \a17, 15, \a23, 56, \a5, \a11, \a17, \a23, \a4
    ROW \a2, 62, \a8, 55, \a14, 39, \a15, 41, \a21, 2, \a15, \a21, \a2, \a8, \a14
.endm

.macro EACH_WORD do, base
.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24
    \do \base, \i
.endr
.endm
.macro LOAD base, i
    vmovdqa64 64 * \i(\base), %zmm\i
.endm
.macro STORE base, i
    vmovdqa64 %zmm\i, 64 * \i(\base)
.endm
.macro STORE_MASKED base, i
    vmovdqa64 %zmm\i, 64 * \i(\base){%k1}
.endm

    .text
    .p2align 6
/* Loads the state at %rdi and permutes it in registers. */
permuted:
    EACH_WORD LOAD, %rdi
    leaq mr_keccak_rc(%rip), %rax
    movl $6, %ecx
    .p2align 5
1:
    ROUND 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24
    ROUND 8, 0, 6, 12, 18, 24, 10, 16, 22, 3, 9, 20, 1, 7, 13, 19, 5, 11, 17, 23, 4, 15, 21, 2, 8, 14
    ROUND 16, 0, 16, 7, 23, 14, 20, 11, 2, 18, 9, 15, 6, 22, 13, 4, 10, 1, 17, 8, 24, 5, 21, 12, 3, 19
    ROUND 24, 0, 11, 22, 8, 19, 15, 1, 12, 23, 9, 5, 16, 2, 13, 24, 20, 6, 17, 3, 14, 10, 21, 7, 18, 4
    addq $32, %rax
    decl %ecx
    jnz 1b
    ret

/* void mr_keccak_permute8_avx512(uint64_t *state) */
    .globl mr_keccak_permute8_avx512
    .hidden mr_keccak_permute8_avx512
    .type mr_keccak_permute8_avx512, @function
    .p2align 4
mr_keccak_permute8_avx512:
    call permuted
    EACH_WORD STORE, %rdi
    vzeroupper
    ret
    .size mr_keccak_permute8_avx512, . - mr_keccak_permute8_avx512

/* void mr_keccak_squeeze8_avx512(uint64_t *state, uint64_t *out, uint32_t keep) */
    .globl mr_keccak_squeeze8_avx512
    .hidden mr_keccak_squeeze8_avx512
    .type mr_keccak_squeeze8_avx512, @function
    .p2align 4
mr_keccak_squeeze8_avx512:
    call permuted
    notl %edx
    kmovw %edx, %k1
    vmovdqa64 %zmm0, (%rsi)
    vmovdqa64 %zmm1, 64(%rsi)
    vmovdqa64 %zmm2, 128(%rsi)
    vmovdqa64 %zmm3, 192(%rsi)
    EACH_WORD STORE_MASKED, %rdi
    vzeroupper
    ret
    .size mr_keccak_squeeze8_avx512, . - mr_keccak_squeeze8_avx512

    .section .rodata
    .p2align 6
rotate8:
    .rept 4
    .byte 7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14
    .endr
rotate56:
    .rept 4
    .byte 1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8
    .endr
#endif
    .section .note.GNU-stack, "", %progbits
