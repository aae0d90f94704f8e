/* SPDX-License-Identifier: BSD-2-Clause */
/* How contexts wake, stop, change their CPU and are fetched by idle CPUs: sched/runq.c and balance.c
 * without their policies, at the grain of their loads and stores. Every context may use every CPU.
 *
 * Checked in every reachable state: no context is queued or run twice. In every state where nothing
 * more happens: a context that wants to run runs, or it is queued at a CPU that runs another and no
 * CPU is idle; a context that does not want to is nowhere. */
#define CPUS     2
#define CONTEXTS 2
#define NONE     7

bool lock[CPUS];
bool resched[CPUS];     /* cpu->resched, and its interrupt */
bool idle[CPUS];        /* the machine's set */
byte current[CPUS];     /* rq->current */
byte home[CONTEXTS];    /* sc->cpu */
byte running[CONTEXTS]; /* sc->running: 1 + CPU */
bool queued[CONTEXTS], wants[CONTEXTS];
byte events = EVENTS;   /* wake-ups, stops and moves that are still to come */

#define waits_at(x, c) (queued[x] && home[x] == c)
#define busy(c) (current[c] != NONE || waits_at(0, c) || waits_at(1, c))

/* What happens under a lock is one step, but for what others see without it: `running` goes to 0, the
 * set of idle CPUs changes. */
#define free(c) (!lock[c])

/* lock_home(): the home may change before its lock is held. */
inline lock_home(x, h)
{
    do
    :: h = home[x];
       atomic { free(h) -> lock[h] = true };
       if
       :: atomic { h == home[x] -> break }
       :: atomic { h != home[x] -> lock[h] = false }
       fi
    od
}

/* sched_go_home(); placed: the CPU that was claimed. */
inline go_home(x, ready, h, placed)
{
    lock_home(x, h);
    wants[x] = wants[x] || ready;
    if
    :: atomic { wants[x] && !queued[x] && running[x] == 0 && busy(h) && idle[1 - h] ->
                idle[1 - h] = false };
       placed = 1 - h;
       atomic { home[x] = placed; lock[h] = false };
       lock_home(x, h)
    :: else -> skip
    fi;
    if
    :: atomic { !queued[x] && running[x] == 0 && wants[x] -> queued[x] = true;
                if
                :: current[h] == NONE -> resched[h] = true
                :: else -> skip
                fi };
    :: else -> skip
    fi;
    lock[h] = false;
    atomic {
        if
        :: placed != NONE -> resched[placed] = true
        :: else -> skip
        fi;
        placed = NONE;
        h = 0
    }
}

inline kick(on)
{
    atomic {
        if
        :: on != 0 -> resched[on - 1] = true
        :: else -> skip
        fi;
        on = 0
    }
}

/* sched_unready() of a context that another CPU may run. */
inline unready(x, h, on)
{
    lock_home(x, h);
    atomic { wants[x] = false; queued[x] = false; lock[h] = false; h = 0 };
    on = running[x];
    kick(on)
}

/* sc_configure() with another affinity. */
inline configure(x, to, h, on, placed)
{
    lock_home(x, h);
    atomic { queued[x] = false; home[x] = to };
    on = running[x];
    lock[h] = false;
    kick(on);
    go_home(x, false, h, placed)
}

/* balance_pull() and balance_push(): one context from CPU `from` to CPU `to`. */
inline send(x, from, to, h, placed)
{
    atomic { free(from) -> lock[from] = true };
    if
    :: atomic { waits_at(x, from) -> queued[x] = false; home[x] = to; lock[from] = false };
       go_home(x, false, h, placed)
    :: atomic { else -> lock[from] = false }
    fi
}

inline run_it(self, x)
{
    assert(running[x] == 0 && wants[x]);
    queued[x] = false;
    current[self] = x;
    running[x] = self + 1;
    idle[self] = false
}

/* sched_pick() */
inline pick(self, x, moved, h, placed)
{
    atomic { free(self) -> lock[self] = true; resched[self] = false; x = current[self] };
    if
    :: atomic { x != NONE && home[x] != self -> current[self] = NONE; moved = x };
       running[x] = 0
    :: atomic { x != NONE && home[x] == self && !wants[x] -> current[self] = NONE };
       running[x] = 0
    :: atomic { x != NONE && home[x] == self && wants[x] -> assert(!queued[x]);
                current[self] = NONE; running[x] = 0; queued[x] = true }
    :: x == NONE -> skip
    fi;
    atomic {
        x = NONE;
        if
        :: waits_at(0, self) -> run_it(self, 0)
        :: waits_at(1, self) -> run_it(self, 1)
        :: else -> idle[self] = true
        fi;
        lock[self] = false
    };
    if
    :: moved != NONE -> go_home(moved, false, h, placed); moved = NONE
    :: else -> skip
    fi;
    if
    :: current[self] == NONE && waits_at(0, 1 - self) -> send(0, 1 - self, self, h, placed)
    :: current[self] == NONE && waits_at(1, 1 - self) -> send(1, 1 - self, self, h, placed)
    :: else -> skip
    fi
}

/* What runs blocks: sched_unready() on the own CPU. */
inline block(self)
{
    atomic {
        free(self) -> lock[self] = true;
        if
        :: current[self] != NONE -> wants[current[self]] = false
        :: else -> skip
        fi
    };
    atomic {
        if
        :: current[self] != NONE -> running[current[self]] = 0; current[self] = NONE
        :: else -> skip
        fi;
        lock[self] = false;
        resched[self] = true
    }
}

/* The slice ends, an idle CPU was seen: balance_push() claims it. */
inline push(self, h, placed)
{
    if
    :: atomic { idle[1 - self] -> idle[1 - self] = false };
       if
       :: waits_at(0, self) -> send(0, self, 1 - self, h, placed)
       :: waits_at(1, self) -> send(1, self, 1 - self, h, placed)
       :: else -> skip
       fi;
       resched[1 - self] = true
    :: else -> skip
    fi
}

proctype cpu(byte self)
{
    byte x = NONE, moved = NONE, h, placed = NONE;
end:
    do
    :: resched[self] -> pick(self, x, moved, h, placed)
    :: atomic { !resched[self] && current[self] != NONE && events > 0 -> events-- };
       block(self)
    :: !resched[self] && current[self] != NONE && idle[1 - self] &&
       (waits_at(0, self) || waits_at(1, self)) ->
       push(self, h, placed)
    od
}

/* What comes from elsewhere: interrupts and system calls of other CPUs. */
proctype others()
{
    byte h, placed = NONE, on;
end:
    do
    :: atomic { events > 0 -> events-- }; go_home(0, true, h, placed)
    :: atomic { events > 0 -> events-- }; go_home(1, true, h, placed)
    :: atomic { events > 0 -> events-- }; unready(0, h, on)
    :: atomic { events > 0 -> events-- }; configure(0, 0, h, on, placed)
    :: atomic { events > 0 -> events-- }; configure(0, 1, h, on, placed)
    od
}

#define at_rest(x)                                                                      \
    (wants[x] -> (running[x] != 0 || (queued[x] && current[0] != NONE && current[1] != NONE)) \
              : (running[x] == 0 && !queued[x]))

proctype judge()
{
end:
    timeout -> assert(at_rest(0) && at_rest(1))
}

init
{
    atomic {
        current[0] = NONE;
        current[1] = NONE;
        resched[0] = true;
        resched[1] = true;
        wants[0] = true; /* both wait at CPU 0 */
        queued[0] = true;
        wants[1] = true;
        queued[1] = true;
        run cpu(0);
        run cpu(1);
        run others();
        run judge()
    }
}
