/* Accounts whose owners ask for one block's work after the other, and a node that tells of
 * confirmed blocks: some late, some twice, some never, and after an absence only where each chain
 * is. */
#include "world.h"

#include <string.h>

struct account chain_account(size_t chain)
{
    struct account account;
    memset(account.key, 0x80 + (int)chain, sizeof account.key);
    return account;
}

const struct root *chain_block(const struct world *world, size_t chain, size_t height)
{
    return &world->roots[ROOTS + chain * BLOCKS + height];
}

static size_t chain_of(const struct account *account)
{
    return (size_t)account->key[0] - 0x80;
}

/* A part of the requests is for the head of a chain; most of them say whose it is. */
void chains_ask(struct world *world, struct hub_request *request)
{
    const size_t chain = (size_t)random_below(&world->random, CHAINS);
    request->root = *chain_block(world, chain, world->heads[chain]);
    request->service_id = 1 + (int64_t)(chain % SERVICES);
    request->free = request->service_id == 1;
    request->has_account = random_below(&world->random, 4) != 0;
    request->account = chain_account(chain);
}

/* The owner has its work and makes the next block, which the network confirms a moment later. */
void chains_answered(struct world *world, const struct root *root)
{
    for (size_t chain = 0; chain < CHAINS; chain++) {
        if (memcmp(root, chain_block(world, chain, world->heads[chain]), sizeof *root) != 0 ||
            world->heads[chain] + 1 == BLOCKS)
            continue;
        world->heads[chain]++;
        const bool lost = random_unit(&world->random) < world->faults.loss;
        for (unsigned n = lost                                                 ? 0
                          : random_unit(&world->random) < world->faults.repeat ? 2
                                                                               : 1;
             n > 0; n--) {
            struct event *event =
                world_schedule(world, world->now_us + 20000 + random_below(&world->random, 1500000),
                               EVENT_CONFIRMED);
            event->index = chain;
            event->stamp = world->heads[chain];
        }
    }
}

void chains_ask_node(struct world *world, const struct account *account)
{
    if (random_unit(&world->random) < world->faults.loss)
        return;
    struct event *event = world_schedule(
        world, world->now_us + 1000 + random_below(&world->random, 50000), EVENT_FRONTIER);
    event->index = chain_of(account);
}

static void confirmed(struct world *world, const struct event *event)
{
    const size_t height = (size_t)event->stamp;
    const struct hub_block block = {
        .account = chain_account(event->index),
        .hash = *chain_block(world, event->index, height),
        .previous = *chain_block(world, event->index, height - 1),
        .height = random_below(&world->random, 2) == 0 ? height + 1 : 0,
    };
    world_note(world, "block %zu of chain %zu is confirmed", height, event->index);
    hub_core_confirmed(world->core, world->now_us, &block);
    world_act(world);
}

static void frontier(struct world *world, const struct event *event)
{
    const struct account account = chain_account(event->index);
    world_note(world, "the node says that chain %zu is at %zu", event->index,
               world->heads[event->index]);
    hub_core_frontier(world->core, world->now_us, &account,
                      chain_block(world, event->index, world->heads[event->index]));
    world_act(world);
}

/* The node's connection is back: each chain that the hub knows is asked for. */
static void reconnected(struct world *world)
{
    struct account accounts[CHAINS];
    size_t cursor = 0;
    size_t count;
    while ((count = hub_core_chains(world->core, &cursor, accounts, 2)) > 0)
        for (size_t i = 0; i < count; i++)
            chains_ask_node(world, &accounts[i]);
}

void chains_event(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_CONFIRMED)
        confirmed(world, event);
    else if (event->kind == EVENT_FRONTIER)
        frontier(world, event);
    else
        reconnected(world);
}

void chains_schedule(struct world *world, uint64_t end_us)
{
    for (uint64_t when_us = 5000000; when_us < end_us; when_us += 5000000)
        (void)world_schedule(world, when_us, EVENT_NODE);
}

/* What services may have made ahead differs: never, at once, for receiving, only when used. */
void chains_policies(struct world *world)
{
    static const struct precache_policy policies[SERVICES] = {
        {PRECACHE_ALWAYS, false, 3, 100000, 10},
        {PRECACHE_USED, true, 4, 2000, 3},
        {PRECACHE_OFF, false, 3, 1000, 10},
    };
    for (size_t i = 0; i < SERVICES; i++)
        if (!hub_core_service(world->core, (int64_t)i + 1, &policies[i]))
            world_fail(world, "no memory for a service");
}

void chains_restore(struct world *world)
{
    for (size_t i = 0; i < CHAINS; i++) {
        const struct sim_chain *stored = &world->stored_chains[i];
        const uint64_t end_us = stored->used_us + world->options.chain_us;
        if (!stored->exists || end_us <= world->now_us)
            continue;
        const struct hub_chain chain = {
            .account = chain_account(i),
            .frontier = stored->frontier,
            .height = stored->height,
            .service_id = stored->service_id,
            .idle_us = world->now_us - stored->used_us,
            .ttl_us = end_us - world->now_us,
        };
        hub_core_restore_chain(world->core, world->now_us, &chain);
        world_act(world);
    }
}

void chains_store(struct world *world, const struct hub_action *action)
{
    world->stored_chains[chain_of(&action->store_frontier.account)] = (struct sim_chain){
        .exists = true,
        .frontier = action->store_frontier.frontier,
        .height = action->store_frontier.height,
        .service_id = action->store_frontier.service_id,
        .used_us = world->now_us - action->store_frontier.idle_us,
    };
}
