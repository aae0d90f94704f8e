/* SPDX-License-Identifier: BSD-2-Clause */
/* An idle CPU that looks at cpu->resched for a while, then halts (arch/x86_64/idle.c), and two others
 * that tell it to reschedule (cpu_reschedule() in kernel/thread.c), but send no interrupt while it
 * looks. Stores and loads are sequentially consistent.
 *
 * Checked in every state where nothing more happens: the CPU has seen all that it was told. */
bool resched, watches, interrupt;
byte events = EVENTS; /* calls that are still to come */
byte polls = EVENTS + 1;

proctype other()
{
end:
    do
    :: atomic { events > 0 -> events-- };
       resched = true;
       if
       :: watches -> skip
       :: else -> interrupt = true
       fi
    od
}

proctype idler()
{
end:
    do
    :: resched -> resched = false /* sched_pick() finds nothing: idle again */
    :: atomic { !resched && polls > 0 -> polls-- }; /* idle_poll() */
       watches = true;
       if
       :: resched -> skip
       :: true -> skip /* its time is over */
       fi;
       watches = false
    :: !resched ->
       /* Interrupts are off between that look and HLT, which a pending one ends. */
end_halted:
       atomic { interrupt -> interrupt = false }
    od
}

proctype judge()
{
end:
    timeout -> assert(!resched)
}

init
{
    atomic {
        run other();
        run other();
        run idler();
        run judge()
    }
}
