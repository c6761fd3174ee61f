#include "hub/core_internal.h"

#include <stdlib.h>
#include <string.h>

/* That an account is in use is stored again after so much of its life. */
enum { STORED_AGAIN_PARTS = 64 };

struct sponsor *sponsor_find(const struct hub_core *core, int64_t service_id)
{
    return table_find(core->sponsors, table_key_of((uint64_t)service_id).bytes);
}

bool sponsor_may_precache(const struct hub_core *core, int64_t service_id)
{
    const struct sponsor *sponsor = sponsor_find(core, service_id);
    return sponsor != NULL && sponsor->policy.mode != PRECACHE_OFF &&
           sponsor->policy.accounts_max > 0;
}

bool sponsor_destroy(void *context, void *sponsor)
{
    (void)context;
    free(sponsor);
    return true;
}

static struct chain *chain_find(const struct hub_core *core, const struct account *account)
{
    return table_find(core->by_account, account->key);
}

/* The newest of a sponsor's chains is the one that was used last. */
static void chain_link(struct chain *chain)
{
    struct sponsor *sponsor = chain->sponsor;
    chain->newer = NULL;
    chain->older = sponsor->newest;
    if (sponsor->newest != NULL)
        sponsor->newest->newer = chain;
    else
        sponsor->oldest = chain;
    sponsor->newest = chain;
    sponsor->chains++;
}

static void chain_unlink(struct chain *chain)
{
    struct sponsor *sponsor = chain->sponsor;
    if (chain->older != NULL)
        chain->older->newer = chain->newer;
    else
        sponsor->oldest = chain->newer;
    if (chain->newer != NULL)
        chain->newer->older = chain->older;
    else
        sponsor->newest = chain->older;
    sponsor->chains--;
}

static void dirty_link(struct hub_core *core, struct chain *chain)
{
    if (chain->linked_dirty)
        return;
    chain->linked_dirty = true;
    chain->next_dirty = NULL;
    chain->previous_dirty = core->last_dirty;
    if (core->last_dirty != NULL)
        core->last_dirty->next_dirty = chain;
    else
        core->first_dirty = chain;
    core->last_dirty = chain;
}

static void dirty_unlink(struct hub_core *core, struct chain *chain)
{
    if (!chain->linked_dirty)
        return;
    chain->linked_dirty = false;
    if (chain->previous_dirty != NULL)
        chain->previous_dirty->next_dirty = chain->next_dirty;
    else
        core->first_dirty = chain->next_dirty;
    if (chain->next_dirty != NULL)
        chain->next_dirty->previous_dirty = chain->previous_dirty;
    else
        core->last_dirty = chain->previous_dirty;
}

/* Stores a chain now, after what is on its way, or when it is its turn. */
static void chain_store(struct hub_core *core, struct chain *chain, uint64_t now_us)
{
    if (chain->storing) {
        chain->dirty = true;
        return;
    }
    if (core->frontiers_storing >= HUB_FRONTIERS_STORING) {
        dirty_link(core, chain);
        return;
    }
    const uint64_t idle_us = now_us - chain->used_us;
    struct hub_action *action = core_act(core, HUB_STORE_FRONTIER);
    action->store_frontier.account = chain->account;
    action->store_frontier.frontier = chain->frontier;
    action->store_frontier.height = chain->height;
    action->store_frontier.service_id = chain->sponsor->service_id;
    action->store_frontier.idle_us = idle_us;
    action->store_frontier.ttl_us =
        core->options.chain_us > idle_us ? core->options.chain_us - idle_us : 0;
    chain->storing = true;
    chain->dirty = false;
    chain->stored_us = chain->used_us;
    core->frontiers_storing++;
}

void hub_core_frontier_stored(struct hub_core *core, uint64_t now_us, const struct account *account)
{
    core_begin_event(core);
    assert(core->frontiers_storing > 0);
    core->frontiers_storing--;
    struct chain *chain = chain_find(core, account);
    if (chain != NULL && chain->storing) {
        chain->storing = false;
        if (chain->dirty)
            chain_store(core, chain, now_us);
    }
    while (core->first_dirty != NULL && core->frontiers_storing < HUB_FRONTIERS_STORING) {
        chain = core->first_dirty;
        dirty_unlink(core, chain);
        chain_store(core, chain, now_us);
    }
}

static void chain_forget(struct hub_core *core, struct chain *chain)
{
    precache_stop(core, &chain->frontier);
    dirty_unlink(core, chain);
    chain_unlink(chain);
    core_disarm(core->chain_timers, &chain->timer);
    table_remove(core->by_account, chain->account.key);
    chain->in_use = false;
    chain->older = core->free_chains;
    core->free_chains = chain;
    core->stats.chains--;
}

static struct chain *take_slot(struct hub_core *core)
{
    struct chain *chain = core->free_chains;
    if (chain != NULL)
        core->free_chains = chain->older;
    else if (core->chains_begun < core->options.chains_max)
        chain = &core->chains[core->chains_begun++];
    return chain;
}

/* A service that has as many accounts as it may gives up the one it has not used for longest. */
static struct chain *chain_add(struct hub_core *core, struct sponsor *sponsor,
                               const struct account *account, const struct root *frontier,
                               uint64_t used_us)
{
    const bool full = sponsor->chains >= sponsor->policy.accounts_max ||
                      core->stats.chains >= core->options.chains_max;
    if (full && sponsor->oldest == NULL)
        return NULL;
    if (full)
        chain_forget(core, sponsor->oldest);
    struct chain *chain = take_slot(core);
    if (chain == NULL)
        return NULL;
    *chain = (struct chain){
        .account = *account,
        .frontier = *frontier,
        .sponsor = sponsor,
        .used_us = used_us,
        .in_use = true,
        .timer = chain->timer,
    };
    const bool inserted = table_insert(core->by_account, account->key, chain);
    assert(inserted && "the table has room for every chain");
    (void)inserted;
    chain_link(chain);
    core_arm(core, core->chain_timers, &chain->timer, used_us + core->options.chain_us);
    core->stats.chains++;
    return chain;
}

void chain_timer(struct hub_core *core, struct chain *chain, uint64_t now_us)
{
    const uint64_t end_us = chain->used_us + core->options.chain_us;
    if (end_us <= now_us)
        chain_forget(core, chain);
    else
        core_arm(core, core->chain_timers, &chain->timer, end_us);
}

static bool same_root(const struct root *a, const struct root *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void chain_use(struct hub_core *core, struct chain *chain, uint64_t now_us)
{
    chain->used_us = now_us;
    chain_unlink(chain);
    chain_link(chain);
    if (now_us - chain->stored_us > core->options.chain_us / STORED_AGAIN_PARTS)
        chain_store(core, chain, now_us);
}

/* A service knows its own accounts best: the block it builds upon may not be confirmed yet. What
 * other services say of an account moves nothing. */
void chain_note_request(struct hub_core *core, const struct hub_request *request, uint64_t now_us)
{
    if (!request->has_account)
        return;
    struct sponsor *sponsor = sponsor_find(core, request->service_id);
    struct chain *chain = chain_find(core, &request->account);
    if (chain == NULL) {
        chain = chain_add(core, sponsor, &request->account, &request->root, now_us);
        if (chain != NULL)
            chain_store(core, chain, now_us);
        return;
    }
    chain_use(core, chain, now_us);
    if (chain->sponsor != sponsor || same_root(&chain->frontier, &request->root))
        return;
    precache_drop(core, chain);
    chain->frontier = request->root;
    chain->height = 0;
    chain_store(core, chain, now_us);
}

static void advance(struct hub_core *core, struct chain *chain, const struct root *frontier,
                    uint64_t height, uint64_t now_us)
{
    precache_drop(core, chain);
    chain->frontier = *frontier;
    chain->height = height;
    chain_store(core, chain, now_us);
    precache_frontier(core, chain, now_us);
}

/* What the work of a block was for: its previous, or the account's key for the first one. */
static struct root root_of(const struct hub_block *block)
{
    struct root root = block->previous;
    if (root_is_zero(&root))
        memcpy(root.bytes, block->account.key, sizeof root.bytes);
    return root;
}

static void confirmed_known(struct hub_core *core, struct chain *chain,
                            const struct hub_block *block, uint64_t now_us)
{
    const struct root root = root_of(block);
    if (same_root(&chain->frontier, &block->hash)) {
        if (block->height != 0)
            chain->height = block->height;
        return;
    }
    const bool next = same_root(&chain->frontier, &root);
    const bool heights = block->height != 0 && chain->height != 0;
    if (next || (heights && block->height > chain->height)) {
        const uint64_t counted = next && chain->height != 0 ? chain->height + 1 : 0;
        advance(core, chain, &block->hash, block->height != 0 ? block->height : counted, now_us);
    } else if (!heights) {
        /* A block was missed, or this one is old: the node knows. */
        core_act(core, HUB_ASK_FRONTIER)->ask_frontier = block->account;
    }
}

/* An account that no service has named, by a root that one has asked for (dpow.md 12, row 20). */
static struct chain *adopt(struct hub_core *core, const struct hub_block *block, uint64_t now_us)
{
    const struct root root = root_of(block);
    const struct entry *entry = entry_find(core, &root);
    if (entry == NULL || entry->service_id == 0 || !sponsor_may_precache(core, entry->service_id))
        return NULL;
    return chain_add(core, sponsor_find(core, entry->service_id), &block->account, &root, now_us);
}

void hub_core_confirmed(struct hub_core *core, uint64_t now_us, const struct hub_block *block)
{
    core_begin_event(core);
    if (root_is_zero(&block->hash) || core->draining)
        return;
    struct chain *chain = chain_find(core, &block->account);
    if (chain == NULL)
        chain = adopt(core, block, now_us);
    if (chain == NULL)
        return;
    core->stats.confirmed++;
    confirmed_known(core, chain, block, now_us);
    precache_fill(core, now_us);
}

void hub_core_frontier(struct hub_core *core, uint64_t now_us, const struct account *account,
                       const struct root *frontier)
{
    core_begin_event(core);
    struct chain *chain = chain_find(core, account);
    if (chain == NULL || core->draining)
        return;
    /* An opened account stays open: a node that knows no block of it lags behind. */
    if (!root_is_zero(frontier) && !same_root(&chain->frontier, frontier))
        advance(core, chain, frontier, 0, now_us);
    precache_fill(core, now_us);
}

size_t hub_core_chains(const struct hub_core *core, size_t *cursor, struct account *accounts,
                       size_t max)
{
    size_t count = 0;
    while (count < max && *cursor < core->chains_begun) {
        const struct chain *chain = &core->chains[(*cursor)++];
        if (chain->in_use)
            accounts[count++] = chain->account;
    }
    return count;
}

bool hub_core_service(struct hub_core *core, int64_t service_id,
                      const struct precache_policy *policy)
{
    core_begin_event(core);
    struct sponsor *sponsor = sponsor_find(core, service_id);
    if (sponsor == NULL) {
        sponsor = calloc(1, sizeof *sponsor);
        if (sponsor == NULL)
            return false;
        sponsor->service_id = service_id;
        if (!table_insert(core->sponsors, table_key_of((uint64_t)service_id).bytes, sponsor)) {
            free(sponsor);
            return false;
        }
    }
    sponsor->policy = *policy;
    while (sponsor->chains > policy->accounts_max)
        chain_forget(core, sponsor->oldest);
    return true;
}

void hub_core_forget_service(struct hub_core *core, int64_t service_id)
{
    core_begin_event(core);
    struct sponsor *sponsor =
        table_remove(core->sponsors, table_key_of((uint64_t)service_id).bytes);
    if (sponsor == NULL)
        return;
    while (sponsor->oldest != NULL)
        chain_forget(core, sponsor->oldest);
    free(sponsor);
}

/* Those restored later have been used earlier: they come to the old end, and nobody makes room for
 * them. */
static void chain_link_oldest(struct chain *chain)
{
    struct sponsor *sponsor = chain->sponsor;
    chain_unlink(chain);
    chain->older = NULL;
    chain->newer = sponsor->oldest;
    if (sponsor->oldest != NULL)
        sponsor->oldest->older = chain;
    else
        sponsor->newest = chain;
    sponsor->oldest = chain;
    sponsor->chains++;
}

void hub_core_restore_chain(struct hub_core *core, uint64_t now_us,
                            const struct hub_chain *restored)
{
    core_begin_event(core);
    struct sponsor *sponsor = sponsor_find(core, restored->service_id);
    if (sponsor == NULL || sponsor->chains >= sponsor->policy.accounts_max ||
        core->stats.chains >= core->options.chains_max ||
        chain_find(core, &restored->account) != NULL || restored->ttl_us == 0)
        return;
    /* The monotonic clock may be younger than the account's last use. */
    const uint64_t used_us = now_us > restored->idle_us ? now_us - restored->idle_us : 0;
    struct chain *chain =
        chain_add(core, sponsor, &restored->account, &restored->frontier, used_us);
    if (chain == NULL)
        return;
    chain_link_oldest(chain);
    chain->height = restored->height;
    chain->stored_us = used_us;
    if (restored->idle_us < core->options.cache_us)
        precache_frontier(core, chain, now_us);
    precache_fill(core, now_us);
}
