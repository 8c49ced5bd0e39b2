/* keccak_round.h: Keccak-f[1600] written once for every vector width: private to keccak*.c. The
 * includer defines
 *   MR_KV              the type of a word (of one lane, or of several side by side)
 *   MR_KXOR(a, b)      a ^ b                  MR_KXOR3(a, b, c)  a ^ b ^ c
 *   MR_KROL(a, n)      rotate left by a constant 0 < n < 64
 *   MR_KCHI(a, b, c)   a ^ (~b & c)
 *   MR_KRC(i)          round constant i in every lane
 * and uses MR_KECCAK_F(a) on a local array MR_KV a[25]; word (x, y) is a[x + 5 * y]. All indices
 * are constants, so that the arrays become registers. */

/* One row of theta, rho and pi, then chi: words i0..i4 of A, rotated, give row y of E. */
#define MR_KROW(E, y, A, i0, r0, i1, r1, i2, r2, i3, r3, i4, r4)                                   \
    do {                                                                                           \
        const MR_KV b0 =                                                                           \
            r0 ? MR_KROL(MR_KXOR(A[i0], d[i0 % 5]), (r0 ? r0 : 1)) : MR_KXOR(A[i0], d[i0 % 5]);    \
        const MR_KV b1 = MR_KROL(MR_KXOR(A[i1], d[i1 % 5]), r1);                                   \
        const MR_KV b2 = MR_KROL(MR_KXOR(A[i2], d[i2 % 5]), r2);                                   \
        const MR_KV b3 = MR_KROL(MR_KXOR(A[i3], d[i3 % 5]), r3);                                   \
        const MR_KV b4 = MR_KROL(MR_KXOR(A[i4], d[i4 % 5]), r4);                                   \
        E[5 * (y) + 0] = MR_KCHI(b0, b1, b2);                                                      \
        E[5 * (y) + 1] = MR_KCHI(b1, b2, b3);                                                      \
        E[5 * (y) + 2] = MR_KCHI(b2, b3, b4);                                                      \
        E[5 * (y) + 3] = MR_KCHI(b3, b4, b0);                                                      \
        E[5 * (y) + 4] = MR_KCHI(b4, b0, b1);                                                      \
    } while (0)

#define MR_KCOLUMN(A, x) MR_KXOR3(MR_KXOR3(A[x], A[(x) + 5], A[(x) + 10]), A[(x) + 15], A[(x) + 20])

/* A round from A into E. */
#define MR_KROUND(E, A, i)                                                                         \
    do {                                                                                           \
        const MR_KV c0 = MR_KCOLUMN(A, 0), c1 = MR_KCOLUMN(A, 1), c2 = MR_KCOLUMN(A, 2);           \
        const MR_KV c3 = MR_KCOLUMN(A, 3), c4 = MR_KCOLUMN(A, 4);                                  \
        const MR_KV d[5] = {MR_KXOR(c4, MR_KROL(c1, 1)), MR_KXOR(c0, MR_KROL(c2, 1)),              \
                            MR_KXOR(c1, MR_KROL(c3, 1)), MR_KXOR(c2, MR_KROL(c4, 1)),              \
                            MR_KXOR(c3, MR_KROL(c0, 1))};                                          \
        MR_KROW(E, 0, A, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);                                     \
        E[0] = MR_KXOR(E[0], MR_KRC(i));                                                           \
        MR_KROW(E, 1, A, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);                                     \
        MR_KROW(E, 2, A, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);                                       \
        MR_KROW(E, 3, A, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);                                    \
        MR_KROW(E, 4, A, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);                                     \
    } while (0)

#define MR_KECCAK_F(a)                                                                             \
    do {                                                                                           \
        MR_KV e_[MR_KECCAK_WORDS];                                                                 \
        for (unsigned i_ = 0; i_ < 24; i_ += 2) {                                                  \
            MR_KROUND(e_, a, i_);                                                                  \
            MR_KROUND(a, e_, i_ + 1);                                                              \
        }                                                                                          \
    } while (0)
