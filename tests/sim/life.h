/* SPDX-License-Identifier: BSD-2-Clause */
/* A random life of the simulated machine: what happens next is drawn from sim_random(). */
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include "tests/sim/check.h"

static inline void life_configure(struct sim_context *x)
{
    struct sc_config config = sim_config();
    uint32_t promised;
    fake_cpu = (uint32_t)sim_random(cpu_count);
    sim_steps++;
    uint32_t on = x->on;
    if (on)
        sim_book(on - 1);
    if (sc_configure(&x->sc, &config, &promised)) {
        sim_accept(x, &config);
        x->sc.misses = 0;
    } else {
        check_refusal(x, &config);
    }
}

static inline void life_step(void)
{
    struct sim_context *x = &sim[sim_random(shape.contexts)];
    uint32_t cpu = (uint32_t)sim_random(cpu_count);
    switch (sim_random(32)) {
    case 0:
        life_configure(x);
        break;
    case 1:
        if (shape.offline && sim_random(8) == 0)
            sim_shutdown(cpu);
        break;
    case 2:
        sim_sleep(x, cpu);
        break;
    case 3:
        sim_pick(cpu, true);
        break;
    case 4:
        sim_pick(cpu, false);
        break;
    default:
        x->sleeps = sim_random(3) != 0;
        sim_wake(x, cpu);
    }
    sim_settle();
    sim_run(fake_tsc + sim_up_to(sim_random(8) ? 50 * US : 3 * MS));
}

/* Checks all after each step of a small machine; of a large one, after as many steps as it has
 * contexts. */
static inline void life(struct sim_shape with, uint64_t seed, uint64_t steps)
{
    fake_seed = seed;
    sim_start(with);
    uint64_t end = sim_steps + steps, check_every = shape.contexts <= 32 ? 1 : shape.contexts / 8;
    for (uint64_t i = 1; sim_steps < end && !sim_wrong; i++) {
        life_step();
        if (i % check_every == 0)
            check_all();
    }
    check_all();
    if (sim_wrong)
        printf("%u CPUs, %u contexts, seed %llu, at %llu us: %s\n", shape.cpus, shape.contexts,
               (unsigned long long)seed, (unsigned long long)(fake_tsc / US), sim_wrong);
    sim_stop();
}

#endif
