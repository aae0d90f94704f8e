/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls, notifications, and what happens to both when one side goes away: scripted interleavings on
 * fake CPUs. */
#include "tests/unit/fake/world.h"

enum { PORTAL = 32, NOTIF = 33, NOTIF2 = 34, CLIENT = 40, SERVER = 44, OTHER = 48, CHILD_PD = 52 };
static struct thread *client, *server, *other;

/* Client on CPU 1, server on CPU 2, a third thread on CPU 3, one portal, two notifications. */
static void start(void)
{
    world_start();
    CALL(boss, PORTAL_CREATE, PORTAL);
    CALL(boss, NOTIF_CREATE, NOTIF);
    CALL(boss, NOTIF_CREATE, NOTIF2);
    client = world_thread(CLIENT, SLOT_SELF_PD, 1, 10);
    server = world_thread(SERVER, SLOT_SELF_PD, 2, 10);
    other = world_thread(OTHER, SLOT_SELF_PD, 3, 10);
}

/* The server waits, without a context of its own. */
static void start_passive(void)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    world_make_passive(SERVER);
}

static void kill_slot(uint64_t slot)
{
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, slot);
}

TEST(call_and_reply_carry_words_and_badge)
{
    start();
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 60, PORTAL, RIGHT_ALL, 77), OK);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), STILL_BLOCKED);
    client->utcb->mr[0] = 11;
    client->utcb->mr[1] = 22;
    CHECK_EQ(CALL(client, PORTAL_CALL, 60, 2, 0), STILL_BLOCKED);
    CHECK_EQ(server->state, THREAD_READY);
    CHECK_EQ(server->regs.rax, OK);
    CHECK_EQ(server->regs.rdi, 2);
    CHECK_EQ(server->regs.rsi, 77);
    CHECK_EQ(server->utcb->mr[1], 22);
    server->utcb->mr[0] = 33;
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 1, 0), STILL_BLOCKED);
    CHECK_EQ(client->state, THREAD_READY);
    CHECK_EQ(client->regs.rax, OK);
    CHECK_EQ(client->regs.rdi, 1);
    CHECK_EQ(client->utcb->mr[0], 33);
    CHECK(world_end());
}

TEST(callers_queue_in_order)
{
    start();
    client->utcb->mr[0] = 1;
    other->utcb->mr[0] = 2;
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 1, 0), STILL_BLOCKED);
    CHECK_EQ(CALL(other, PORTAL_CALL, PORTAL, 1, 0), STILL_BLOCKED);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), OK);
    CHECK_EQ(server->utcb->mr[0], 1);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), ERR_STATE);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), OK);
    CHECK_EQ(client->state, THREAD_READY);
    CHECK_EQ(server->utcb->mr[0], 2);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK_EQ(other->state, THREAD_READY);
    CHECK(world_end());
}

TEST(capabilities_travel_with_a_message)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    server->utcb->recv_slot = 100;
    client->utcb->send[0] = (struct utcb_cap){NOTIF, RIGHT_READ};
    client->utcb->send[1] = (struct utcb_cap){NOTIF2, RIGHT_ALL};
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 0, 2), STILL_BLOCKED);
    CHECK_EQ(server->regs.rdi, 2ull << 32);
    CHECK_EQ(cap_lookup(root, 100)->rights, RIGHT_READ);
    CHECK(world_object(101) == world_object(NOTIF2));
    /* The first that cannot be copied ends the transfer. */
    client->utcb->recv_slot = 110;
    server->utcb->send[0] = (struct utcb_cap){100, RIGHT_ALL}; /* no RIGHT_COPY */
    server->utcb->send[1] = (struct utcb_cap){101, RIGHT_ALL};
    CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 2);
    CHECK_EQ(client->regs.rdi, 0);
    CHECK(!world_object(110) && !world_object(111));
    /* A queued caller's capabilities are copied when a server comes. */
    CALL(client, CAP_DELETE, SLOT_SELF_PD, 100);
    CALL(client, CAP_DELETE, SLOT_SELF_PD, 101);
    CALL(server, NOTIF_POLL, NOTIF);
    CHECK(world_end());
}

TEST(queued_capabilities_travel_when_a_server_comes)
{
    start();
    server->utcb->recv_slot = 100;
    client->utcb->send[0] = (struct utcb_cap){NOTIF, RIGHT_ALL};
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 0, 1), STILL_BLOCKED);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), OK);
    CHECK_EQ(server->regs.rdi, 1ull << 32);
    CHECK(world_object(100) == world_object(NOTIF));
    CHECK(world_end());
}

TEST(long_messages_are_refused)
{
    start();
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, UTCB_WORDS + 1, 0), ERR_ARG);
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 0, UTCB_CAPS + 1), ERR_ARG);
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 1ull << 32, 0), ERR_ARG);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, UTCB_WORDS + 1, 0), ERR_ARG);
    CHECK(world_end());
}

TEST(a_passive_server_runs_on_its_callers_context)
{
    start_passive();
    struct sc *sc = client->sc;
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK(server->sc == sc && sc->thread == server && !client->sc);
    CHECK_EQ(fake_where(server), 1);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK(client->sc == sc && sc->thread == client && !server->sc);
    CHECK_EQ(fake_where(client), 1);
    CHECK(!world_check_sched());
    CHECK(world_end());
}

TEST(the_server_dies)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(SERVER);
    CHECK_EQ(client->state, THREAD_READY);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ(fake_where(client), 1);
    CHECK(world_end());
}

TEST(a_passive_server_dies)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(SERVER);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ(fake_where(client), 1);
    CHECK(world_end());
}

TEST(the_caller_dies)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(CLIENT);
    CHECK(!server->caller);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK(world_end());
}

TEST(the_caller_of_a_passive_server_dies)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(CLIENT);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK(!server->sc);
    /* It still serves others. */
    CHECK_EQ(CALL(other, PORTAL_CALL, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK_EQ(fake_where(server), 3);
    CHECK(world_end());
}

TEST(caller_and_passive_server_die)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(CLIENT);
    kill_slot(SERVER);
    CHECK(world_end());
}

TEST(a_suspended_caller_goes_on_after_resume)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CHECK_EQ(CALL(boss, THREAD_SUSPEND, CLIENT), OK);
    CHECK_EQ(client->state, THREAD_SUSPENDED);
    CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0);
    CHECK_EQ(CALL(boss, THREAD_RESUME, CLIENT), OK);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ(fake_where(client), 1);
    CHECK(world_end());
}

TEST(a_caller_resumed_before_the_reply_gets_its_context_back)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CALL(boss, THREAD_SUSPEND, CLIENT);
    CALL(boss, THREAD_RESUME, CLIENT);
    CHECK_EQ(client->state, THREAD_READY);
    CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0);
    CHECK_EQ(fake_where(client), 1);
    CHECK(world_end());
}

/* What is left when the caller was suspended and resumed between the server's taking it over and
 * its answer: a call that has ended, and a caller that may wait elsewhere. */
TEST(a_late_answer_ends_no_other_wait)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CALL(boss, THREAD_SUSPEND, CLIENT);
    CALL(boss, THREAD_RESUME, CLIENT);
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, 0), STILL_BLOCKED);
    server->caller = client;
    client->server = server;
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), STILL_BLOCKED);
    CHECK_EQ(client->state, THREAD_BLOCKED);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 4);
    CHECK_EQ(client->regs.rdi, 4);
    CHECK(world_end());
}

/* The first in the queue is just being killed: who follows may bring capabilities, for which the
 * object lock is needed. */
TEST(capabilities_behind_a_dying_caller)
{
    start();
    CHECK_EQ(CALL(client, PORTAL_CALL, PORTAL, 0, 0), STILL_BLOCKED);
    other->utcb->send[0] = (struct utcb_cap){NOTIF, RIGHT_READ};
    server->utcb->recv_slot = 100;
    CHECK_EQ(CALL(other, PORTAL_CALL, PORTAL, 0, 1), STILL_BLOCKED);
    client->state = THREAD_DEAD;
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), OK);
    CHECK_EQ(server->regs.rdi, 1ull << 32);
    CHECK(cap_lookup(root, 100));
    client->state = THREAD_BLOCKED;
    CHECK(world_end());
}

/* The timer of an earlier wait fires while its handler could not get the lock. */
TEST(a_late_timer_ends_no_wait_without_deadline)
{
    start();
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, rdtsc() + 1000000000), STILL_BLOCKED);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 1);
    client->timeout.deadline = 1;
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, 0), STILL_BLOCKED);
    notif_timeout(&client->timeout);
    CHECK_EQ(client->state, THREAD_BLOCKED);
    CHECK(world_end());
}

TEST(numbers_of_32_bits_have_32_bits)
{
    start();
    uint64_t wide = 1ull << 32;
    CHECK_EQ(CALL(boss, SC_CREATE, 70, SLOT_MACHINE, wide, 1, 0, 0), ERR_ARG);
    CHECK_EQ(CALL(boss, SC_CREATE, 70, SLOT_MACHINE, 0, wide | 1, 0, 0), ERR_ARG);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 70, NOTIF, wide | RIGHT_READ, 0), ERR_ARG);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 70, NOTIF, RIGHT_READ, wide), OK);
    CHECK(world_end());
}

/* A call is ended also when a server takes the caller out of the queue just before. */
TEST(a_caller_that_is_being_served_is_suspended)
{
    start();
    CALL(server, PORTAL_WAIT, PORTAL);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CHECK_EQ(CALL(boss, THREAD_SUSPEND, CLIENT), OK);
    CHECK(!client->suspend && !client->server && !server->caller);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK(world_end());
}

TEST(the_portal_is_destroyed_with_both_queues)
{
    start();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(PORTAL);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ(fake_where(client), 1);
    CHECK_EQ(CALL(boss, PORTAL_CREATE, PORTAL), OK);
    CALL(server, PORTAL_WAIT, PORTAL);
    kill_slot(PORTAL);
    CHECK_EQ((int64_t)server->regs.rax, ERR_GONE);
    CHECK(world_end());
}

TEST(a_signal_after_the_served_portal_died)
{
    start();
    CHECK_EQ(CALL(boss, THREAD_BIND, SERVER, NOTIF), OK);
    CHECK_EQ(CALL(boss, THREAD_BIND, CLIENT, NOTIF2), OK);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), OK);
    kill_slot(PORTAL);
    CHECK_EQ(CALL(boss, NOTIF_SIGNAL, NOTIF, 1), OK); /* the server runs and waits nowhere */
    CHECK_EQ(CALL(boss, NOTIF_SIGNAL, NOTIF2, 1), OK);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), ERR_CAP);
    CHECK(world_end());
}

TEST(a_bound_notification_ends_portal_wait)
{
    start();
    CALL(boss, THREAD_BIND, SERVER, NOTIF);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), STILL_BLOCKED);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 0x30);
    CHECK_EQ(server->regs.rax, NOTIFIED);
    CHECK_EQ(server->regs.rdi, 0x30);
    CHECK_EQ(fake_where(server), 2);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 0x40);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), NOTIFIED);
    CHECK_EQ(server->regs.rdi, 0x40);
    CHECK_EQ(CALL(server, PORTAL_WAIT, PORTAL), STILL_BLOCKED);
    CHECK(world_end());
}

TEST(a_notification_has_one_thread_and_a_thread_one_notification)
{
    start();
    CHECK_EQ(CALL(boss, THREAD_BIND, SERVER, NOTIF), OK);
    CHECK_EQ(CALL(boss, THREAD_BIND, SERVER, NOTIF2), ERR_EXISTS);
    CHECK_EQ(CALL(boss, THREAD_BIND, CLIENT, NOTIF), ERR_EXISTS);
    kill_slot(SERVER);
    CHECK_EQ(CALL(boss, THREAD_BIND, CLIENT, NOTIF), OK);
    CHECK(world_end());
}

TEST(wait_poll_and_timeout)
{
    start();
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, 0), STILL_BLOCKED);
    CHECK_EQ(CALL(boss, NOTIF_SIGNAL, NOTIF, 5), OK);
    CHECK_EQ(client->regs.rdi, 5);
    CHECK_EQ(CALL(client, NOTIF_POLL, NOTIF), OK);
    CHECK_EQ(client->regs.rdi, 0);
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, fake_tsc), ERR_TIMEOUT);
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF, fake_tsc + 100), STILL_BLOCKED);
    fake_tsc += 99;
    fake_settle();
    CHECK_EQ(client->state, THREAD_BLOCKED);
    fake_tsc += 1;
    fake_settle();
    CHECK_EQ((int64_t)client->regs.rax, ERR_TIMEOUT);
    /* A signal that comes first wins, and the timer does not end the next wait. */
    CALL(client, NOTIF_WAIT, NOTIF, fake_tsc + 100);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 1);
    CHECK_EQ(CALL(client, NOTIF_WAIT, NOTIF2, 0), STILL_BLOCKED);
    fake_tsc += 200;
    fake_settle();
    CHECK_EQ(client->state, THREAD_BLOCKED);
    CHECK(world_end());
}

TEST(a_notifications_own_timer)
{
    start();
    CHECK_EQ(CALL(boss, NOTIF_TIMER, NOTIF, fake_tsc + 50, 0x100), OK);
    CALL(client, NOTIF_WAIT, NOTIF, 0);
    fake_tsc += 50;
    fake_settle();
    CHECK_EQ(client->regs.rdi, 0x100);
    CALL(boss, NOTIF_TIMER, NOTIF, fake_tsc + 50, 0x100);
    CALL(boss, NOTIF_TIMER, NOTIF, 0, 0);
    CALL(boss, NOTIF_TIMER, NOTIF2, fake_tsc + 50, 1);
    kill_slot(NOTIF2); /* armed */
    fake_tsc += 100;
    fake_settle();
    CHECK_EQ(CALL(client, NOTIF_POLL, NOTIF), OK);
    CHECK_EQ(client->regs.rdi, 0);
    CHECK(world_end());
}

TEST(the_notification_is_destroyed_while_threads_wait)
{
    start();
    CALL(client, NOTIF_WAIT, NOTIF, 0);
    CALL(server, NOTIF_WAIT, NOTIF, fake_tsc + 1000);
    kill_slot(NOTIF);
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ((int64_t)server->regs.rax, ERR_GONE);
    fake_tsc += 2000;
    fake_settle();
    CHECK(world_end());
}

TEST(a_waiting_thread_dies)
{
    start();
    CALL(client, NOTIF_WAIT, NOTIF, fake_tsc + 1000);
    kill_slot(CLIENT);
    CALL(boss, NOTIF_SIGNAL, NOTIF, 1);
    fake_tsc += 2000;
    fake_settle();
    CALL(server, PORTAL_WAIT, PORTAL);
    kill_slot(SERVER);
    CALL(other, PORTAL_CALL, PORTAL, 0, 0);
    kill_slot(OTHER);
    CHECK(list_empty(&((struct portal *)world_object(PORTAL))->callers));
    CHECK(world_end());
}

TEST(a_badge_limits_the_bits)
{
    start();
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 60, NOTIF, RIGHT_ALL, 6), OK);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 61, 60, RIGHT_ALL, 1), ERR_ARG);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 61, 60, RIGHT_ALL, 0), OK);
    CHECK_EQ(CALL(client, NOTIF_SIGNAL, 61, 0xff), OK);
    CHECK_EQ(CALL(client, NOTIF_POLL, NOTIF), OK);
    CHECK_EQ(client->regs.rdi, 6);
    CHECK(world_end());
}

TEST(a_thread_deletes_itself)
{
    start();
    CALL(client, CAP_DELETE, SLOT_SELF_PD, CLIENT);
    CHECK_EQ(fake_where(client), FAKE_CPUS);
    CHECK(world_end());
}

TEST(a_running_thread_dies_on_another_cpu)
{
    start();
    CHECK_EQ(fake_where(client), 1);
    kill_slot(CLIENT);
    CHECK(!cpus[1]->current);
    CHECK(world_end());
}

/* The context is preempted, not picked, at the moment its thread dies. */
TEST(a_context_without_thread_leaves_the_queue)
{
    start();
    struct thread *high = world_thread(64, SLOT_SELF_PD, 1, 5);
    CHECK(high);
    /* Raise the idle one above the client without letting CPU 1 notice. */
    CHECK_EQ(fake_call_raw(boss, SYS_SC_CONFIG, ARGS(65, 1, 20, 0, 0)), OK);
    CHECK_EQ(fake_call_raw(boss, SYS_CAP_DELETE, ARGS(SLOT_SELF_PD, CLIENT)), OK);
    CHECK_EQ(fake_call_raw(boss, SYS_CAP_DELETE, ARGS(SLOT_SELF_PD, CLIENT + 1)), OK);
    fake_settle();
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, WORLD_SLOTS - 1);
    CHECK_EQ(fake_where(high), 1);
    kill_slot(64);
    CHECK(!world_check_sched());
    CHECK(world_end());
}

TEST(a_lent_context_dies_with_its_timer)
{
    start_passive();
    CHECK_EQ(CALL(boss, SC_CONFIG, CLIENT + 1, 1, 10, 1000, 1000000), OK);
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CHECK_EQ(fake_where(server), 1);
    kill_slot(CLIENT + 1);
    fake_tsc += 2000000; /* its budget is used up: the replenishment timer is armed */
    fake_settle();
    kill_slot(CLIENT);
    kill_slot(SERVER);
    CHECK(world_end());
    fake_tsc += 2000000000;
    fake_settle();
}

TEST(a_context_dies_with_its_timer)
{
    start();
    CHECK_EQ(CALL(boss, SC_CONFIG, CLIENT + 1, 1, 10, 1000, 1000000), OK);
    CHECK_EQ(fake_call_raw(boss, SYS_CAP_DELETE, ARGS(SLOT_SELF_PD, CLIENT + 1)), OK);
    fake_tsc += 2000000; /* CPU 1 learns of it only after the budget went */
    fake_settle();
    kill_slot(CLIENT);
    CHECK(world_end());
    fake_tsc += 2000000000;
    fake_settle();
}

TEST(fault_exit_and_resume)
{
    start();
    CHECK_EQ(CALL(boss, THREAD_ON_FAULT, CLIENT, NOTIF, 4), OK);
    client->regs.vector = 14;
    fake_enter(1, user_interrupt);
    fake_settle();
    CHECK_EQ(client->state, THREAD_FAULTED);
    CHECK_EQ(CALL(boss, NOTIF_POLL, NOTIF), OK);
    CHECK_EQ(boss->regs.rdi, 4);
    CHECK_EQ(CALL(boss, THREAD_RESUME, CLIENT), OK);
    CHECK_EQ(fake_where(client), 1);
    CALL(client, THREAD_EXIT, 0);
    CHECK_EQ(client->fault_vector, THREAD_EXIT_VECTOR);
    CHECK(!cpus[1]->current);
    CHECK(world_end());
}

TEST(floating_point_state_is_charged_and_returned)
{
    start();
    uint64_t before = root->kmem_used;
    client->regs.vector = 7;
    fake_enter(1, user_interrupt);
    CHECK_EQ(root->kmem_used - before, PAGE_SIZE);
    CHECK(world_end());
}

/* Nobody has a context: the call is connected, and goes on when there is one again. */
TEST(a_queued_caller_without_context)
{
    start_passive();
    CALL(client, PORTAL_CALL, PORTAL, 0, 0); /* on the server */
    CALL(other, PORTAL_CALL, PORTAL, 0, 0);  /* queued */
    kill_slot(OTHER + 1);
    CHECK_EQ(CALL(server, PORTAL_REPLY_WAIT, PORTAL, 0, 0), OK);
    CHECK(server->caller == other && !server->sc);
    CHECK_EQ(fake_where(client), 1);
    CHECK_EQ(fake_where(server), FAKE_CPUS);
    CHECK(!world_check_sched());
    CHECK(world_end());
}

TEST(a_nested_call_of_passive_servers_unwinds)
{
    start_passive();
    CALL(boss, PORTAL_CREATE, 70);
    struct thread *deep = world_thread(72, SLOT_SELF_PD, 2, 10);
    CALL(deep, PORTAL_WAIT, 70);
    world_make_passive(72);
    struct sc *sc = client->sc;
    CALL(client, PORTAL_CALL, PORTAL, 0, 0);
    CALL(server, PORTAL_CALL, 70, 0, 0);
    CHECK(sc->thread == deep);
    kill_slot(SERVER); /* the middle one */
    CHECK_EQ((int64_t)client->regs.rax, ERR_GONE);
    CHECK_EQ(CALL(deep, PORTAL_REPLY_WAIT, 70, 0, 0), STILL_BLOCKED);
    CHECK(sc->thread == client);
    CHECK_EQ(fake_where(client), 1);
    CHECK(world_end());
}
