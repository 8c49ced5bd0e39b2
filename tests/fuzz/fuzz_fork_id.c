/* A fork id from the wire: written back as the same bytes, judged on every preset; our own id is
 * always compatible with us, wherever our head is. */
#include "net/eth/fork_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mr_network *net;
    struct mr_chain_point at;
    struct mr_fork_id id = {1, 2};
    struct mr_reader r;
    uint8_t out[16];
    struct mr_writer w = mr_writer(out, sizeof out);

    if (size < 16)
        return 0;
    at = (struct mr_chain_point){mr_load_be64(data), mr_load_be64(data + 8)};
    for (size_t i = 0; (net = mr_network_preset(i)); i++) {
        struct mr_fork_id own = mr_fork_id_at(net, at);

        MR_ASSERT(own.next == 0 || own.next > at.number || own.next > at.time);
        MR_ASSERT(mr_fork_id_check(net, at, &own) == MR_FORK_COMPATIBLE);
    }
    r = mr_reader(data + 16, size - 16);
    if (mr_fork_id_read(&r, &id, false) != MR_OK) {
        MR_ASSERT(r.p == data + 16);
        MR_ASSERT(id.hash == 1 && id.next == 2);
        (void)!mr_fork_id_read(&r, &id, true);
        return 0;
    }
    MR_ASSERT(mr_fork_id_put(&w, &id) == MR_OK);
    MR_ASSERT(w.n == (size_t)(r.p - data) - 16);
    MR_ASSERT(memcmp(out, data + 16, w.n) == 0);
    for (size_t i = 0; (net = mr_network_preset(i)); i++)
        (void)mr_fork_id_check(net, at, &id);
    return 0;
}
