/* keccak_avx512_rounds.S: the permutation of eight, four or one state in 512, 256 or 128-bit
 * registers (v: zmm, ymm, xmm). In assembly, as the 25 words and six temporaries just fit the
 * registers, which compilers do not see: gcc 12 spills 35 times in two rounds. A round is 90
 * operations, for two ports (three where narrower); about 47 (31) cycles are reached.
 *
 * Word (x, y) stands in register x + 5 * ((u * x + v * y) mod 5): a row's five results take the
 * places of the five words that went into it, in an order that puts every word back after four
 * rounds: (u, v) = (0, 1), (1, 2), (3, 4), (2, 3). (Keccak implementation overview 3.2, 2.5.) */
#ifdef __x86_64__

/* Rotations by whole bytes go to the port that the others leave alone. */
.macro ROTATE v, to, from, n
.if \n == 0
    vmovdqa64 %\v\from, %\v\to
.elseif \n == 8
    vpshufb rotate8(%rip), %\v\from, %\v\to
.elseif \n == 56
    vpshufb rotate56(%rip), %\v\from, %\v\to
.else
    vprolq $\n, %\v\from, %\v\to
.endif
.endm

/* to = a ^ b ^ c ^ d ^ e */
.macro COLUMN v, to, a, b, c, d, e
    vmovdqa64 %\v\a, %\v\to
    vpternlogq $0x96, %\v\c, %\v\b, %\v\to
    vpternlogq $0x96, %\v\e, %\v\d, %\v\to
.endm

/* Adds left ^ (right rotated by one) to the words of a column. */
.macro ADD v, left, right, a, b, c, d, e
    vprolq $1, %\v\right, %\v\()30
    vpternlogq $0x96, %\v\()30, %\v\left, %\v\a
    vpternlogq $0x96, %\v\()30, %\v\left, %\v\b
    vpternlogq $0x96, %\v\()30, %\v\left, %\v\c
    vpternlogq $0x96, %\v\()30, %\v\left, %\v\d
    vpternlogq $0x96, %\v\()30, %\v\left, %\v\e
.endm

/* to = a ^ (~b & c) */
.macro CHI v, to, a, b, c
    vmovdqa64 %\v\a, %\v\to
    vpternlogq $0xd2, %\v\c, %\v\b, %\v\to
.endm

/* The words a to e, rotated, give the row whose words go to p to t: the same registers. */
.macro ROW v, a, ra, b, rb, c, rc, d, rd, e, re, p, q, r, s, t
    ROTATE \v, 25, \a, \ra
    ROTATE \v, 26, \b, \rb
    ROTATE \v, 27, \c, \rc
    ROTATE \v, 28, \d, \rd
    ROTATE \v, 29, \e, \re
    CHI \v, \p, 25, 26, 27
    CHI \v, \q, 26, 27, 28
    CHI \v, \r, 27, 28, 29
    CHI \v, \s, 28, 29, 25
    CHI \v, \t, 29, 25, 26
.endm

/* A round, given where words 0 to 24 stand; its constant is at %rax + rc. */
.macro ROUND v, one_to, rc, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24
    COLUMN \v, 25, \a0, \a5, \a10, \a15, \a20
    COLUMN \v, 26, \a1, \a6, \a11, \a16, \a21
    COLUMN \v, 27, \a2, \a7, \a12, \a17, \a22
    COLUMN \v, 28, \a3, \a8, \a13, \a18, \a23
    COLUMN \v, 29, \a4, \a9, \a14, \a19, \a24
    ADD \v, 29, 26, \a0, \a5, \a10, \a15, \a20
    ADD \v, 26, 28, \a2, \a7, \a12, \a17, \a22
    ADD \v, 28, 25, \a4, \a9, \a14, \a19, \a24
    ADD \v, 25, 27, \a1, \a6, \a11, \a16, \a21
    ADD \v, 27, 29, \a3, \a8, \a13, \a18, \a23
    ROW \v, \a0, 0, \a6, 44, \a12, 43, \a18, 21, \a24, 14, \a0, \a6, \a12, \a18, \a24
    vpxorq \rc(%rax){\one_to}, %\v\a0, %\v\a0
    ROW \v, \a3, 28, \a9, 20, \a10, 3, \a16, 45, \a22, 61, \a10, \a16, \a22, \a3, \a9
    ROW \v, \a1, 1, \a7, 6, \a13, 25, \a19, 8, \a20, 18, \a20, \a1, \a7, \a13, \a19
    ROW \v, \a4, 27, \a5, 36, \a11, 10, \a17, 15, \a23, 56, \a5, \a11, \a17, \a23, \a4
    ROW \v, \a2, 62, \a8, 55, \a14, 39, \a15, 41, \a21, 2, \a15, \a21, \a2, \a8, \a14
.endm

/* Words in memory: word i of all lanes at i * size. */
.macro EACH_WORD do, v, size, base
.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24
    \do \v, \size, \base, \i
.endr
.endm
.macro LOAD v, size, base, i
.if \size == 8
    vmovq 8 * \i(\base), %xmm\i
.else
    vmovdqa64 \size * \i(\base), %\v\i
.endif
.endm
.macro STORE v, size, base, i
.if \size == 8
    vmovq %xmm\i, 8 * \i(\base)
.else
    vmovdqa64 %\v\i, \size * \i(\base)
.endif
.endm
.macro STORE_MASKED v, size, base, i
    vmovdqa64 %\v\i, \size * \i(\base){%k1}
.endm

.macro FUNCTION name
    .globl \name
    .hidden \name
    .type \name, @function
    .p2align 4
\name:
.endm

/* permuted_v loads the state at %rdi and permutes it in registers. */
.macro PERMUTED v, one_to, size
    .p2align 6
permuted_\v:
    EACH_WORD LOAD, \v, \size, %rdi
    leaq mr_keccak_rc(%rip), %rax
    movl $6, %ecx
    .p2align 5
1:
    ROUND \v, \one_to, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24
    ROUND \v, \one_to, 8, 0, 6, 12, 18, 24, 10, 16, 22, 3, 9, 20, 1, 7, 13, 19, 5, 11, 17, 23, 4, 15, 21, 2, 8, 14
    ROUND \v, \one_to, 16, 0, 16, 7, 23, 14, 20, 11, 2, 18, 9, 15, 6, 22, 13, 4, 10, 1, 17, 8, 24, 5, 21, 12, 3, 19
    ROUND \v, \one_to, 24, 0, 11, 22, 8, 19, 15, 1, 12, 23, 9, 5, 16, 2, 13, 24, 20, 6, 17, 3, 14, 10, 21, 7, 18, 4
    addq $32, %rax
    decl %ecx
    jnz 1b
    ret
.endm

/* void name(uint64_t *state) */
.macro PERMUTE name, v, size
FUNCTION \name
    call permuted_\v
    EACH_WORD STORE, \v, \size, %rdi
    vzeroupper
    ret
    .size \name, . - \name
.endm

/* void name(uint64_t *state, uint64_t *out, uint32_t keep) */
.macro SQUEEZE name, v, size
FUNCTION \name
    call permuted_\v
    notl %edx
    kmovw %edx, %k1
.irp i, 0, 1, 2, 3
    vmovdqa64 %\v\i, \size * \i(%rsi)
.endr
    EACH_WORD STORE_MASKED, \v, \size, %rdi
    vzeroupper
    ret
    .size \name, . - \name
.endm

    .text
PERMUTED zmm, 1to8, 64
PERMUTED ymm, 1to4, 32
PERMUTED xmm, 1to2, 8
PERMUTE mr_keccak_permute8_avx512, zmm, 64
PERMUTE mr_keccak_permute4_avx512, ymm, 32
PERMUTE mr_keccak_permute_avx512, xmm, 8
SQUEEZE mr_keccak_squeeze8_avx512, zmm, 64
SQUEEZE mr_keccak_squeeze4_avx512, ymm, 32

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
