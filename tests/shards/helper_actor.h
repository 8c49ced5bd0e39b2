/* helper_actor.h: between helper_shard.c and helper_actor.c: see helper_shard.h. */
#pragma once
#include "tests/shards/helper_shard.h"

/* Bytes from the shard reach the actor, who looks at them in actors_hear. */
void actor_receive(struct actor *a, const uint8_t *p, size_t n);
/* All actors open what has come whole, side by side. */
void actors_hear(struct stage *st);
void actor_free(struct actor *a);
