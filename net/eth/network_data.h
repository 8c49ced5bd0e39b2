/* network_data.h: the presets, as network_data.c holds them; others ask net/eth/network.h. */
#pragma once
#include "net/eth/network.h"

extern const struct mr_network mr_network_data[];
extern const size_t mr_network_data_count;
