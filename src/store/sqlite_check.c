/* Every total is the sum of rows that were only ever added. Each query gives a line for a total
 * that is not. */
#include "store/sqlite_internal.h"

static const char *const checks[] = {
    "SELECT 'service ' || s.name || ' has ' || s.credits || ' credits instead of ' ||"
    "  (coalesce(e.amount, 0) - coalesce(a.used, 0)) FROM services AS s"
    " LEFT JOIN (SELECT service, sum(amount) AS amount FROM credit_entries GROUP BY service) AS e"
    "  ON e.service = s.id"
    " LEFT JOIN (SELECT service, sum(used) AS used FROM answers GROUP BY service) AS a"
    "  ON a.service = s.id"
    " WHERE s.credits <> coalesce(e.amount, 0) - coalesce(a.used, 0)",

    "SELECT 'service ' || s.name || ' has ' || coalesce(p.answered, 0) || ' and ' ||"
    "  coalesce(o.answered, 0) || ' answers counted instead of ' || coalesce(a.precache, 0) ||"
    "  ' and ' || coalesce(a.ondemand, 0) FROM services AS s"
    " LEFT JOIN service_counts AS p ON p.service = s.id AND p.type = 0"
    " LEFT JOIN service_counts AS o ON o.service = s.id AND o.type = 1"
    " LEFT JOIN (SELECT service, sum(precache) AS precache, sum(ondemand) AS ondemand FROM answers"
    "  GROUP BY service) AS a ON a.service = s.id"
    " WHERE coalesce(p.answered, 0) <> coalesce(a.precache, 0)"
    " OR coalesce(o.answered, 0) <> coalesce(a.ondemand, 0)",

    "SELECT 'client ' || hex(c.account) || ' has ' || c.precache || ' and ' || c.ondemand ||"
    "  ' works counted instead of ' || coalesce(r.precache, 0) || ' and ' ||"
    "  coalesce(r.ondemand, 0) FROM clients AS c LEFT JOIN"
    " (SELECT account, sum(precache) AS precache, sum(ondemand) AS ondemand FROM"
    "  (SELECT account, iif(type = 0, 1, 0) AS precache, iif(type = 1, 1, 0) AS ondemand"
    "   FROM rewards UNION ALL SELECT account, precache, ondemand FROM openings"
    "   WHERE account IS NOT NULL) GROUP BY account) AS r ON r.account = c.account"
    " WHERE c.precache <> coalesce(r.precache, 0) OR c.ondemand <> coalesce(r.ondemand, 0)",

    "SELECT 'client ' || hex(c.account) || ' has ' || c.hashes_precache || ' and ' ||"
    "  c.hashes_ondemand || ' hashes counted instead of ' || coalesce(r.precache, 0) || ' and ' ||"
    "  coalesce(r.ondemand, 0) FROM clients AS c LEFT JOIN"
    " (SELECT account, sum(iif(type = 0, hashes, 0)) AS precache,"
    "  sum(iif(type = 1, hashes, 0)) AS ondemand FROM rewards GROUP BY account) AS r"
    " ON r.account = c.account WHERE c.hashes_precache <> coalesce(r.precache, 0)"
    " OR c.hashes_ondemand <> coalesce(r.ondemand, 0)",

    /* Of a line, and of an opening, both counts are there or none. */
    "SELECT 'client ' || hex(c.account) || ' has snapshots of ' || coalesce(c.snapshot_precache, 0)"
    "  || ' and ' || coalesce(c.snapshot_ondemand, 0) || ' works instead of ' ||"
    "  coalesce(p.precache, 0) || ' and ' || coalesce(p.ondemand, 0) FROM clients AS c LEFT JOIN"
    " (SELECT account, sum(precache) AS precache, sum(ondemand) AS ondemand FROM"
    "  (SELECT l.account, l.precache, l.ondemand FROM payout_lines AS l JOIN payouts AS o"
    "   ON o.id = l.payout WHERE o.cancelled_ms = 0 UNION ALL"
    "   SELECT account, snapshot_precache, snapshot_ondemand FROM openings"
    "   WHERE snapshot_precache IS NOT NULL) GROUP BY account) AS p ON p.account = c.account"
    " WHERE coalesce(c.snapshot_precache, 0) <> coalesce(p.precache, 0)"
    " OR coalesce(c.snapshot_ondemand, 0) <> coalesce(p.ondemand, 0)",

    "SELECT 'client ' || hex(c.account) || ' has snapshots of ' || c.snapshot_hashes_precache ||"
    "  ' and ' || c.snapshot_hashes_ondemand || ' hashes instead of ' || coalesce(p.precache, 0) ||"
    "  ' and ' || coalesce(p.ondemand, 0) FROM clients AS c LEFT JOIN"
    " (SELECT l.account, sum(l.hashes_precache) AS precache, sum(l.hashes_ondemand) AS ondemand"
    "  FROM payout_lines AS l JOIN payouts AS o ON o.id = l.payout WHERE o.cancelled_ms = 0"
    "  GROUP BY l.account) AS p ON p.account = c.account"
    " WHERE c.snapshot_hashes_precache <> coalesce(p.precache, 0)"
    " OR c.snapshot_hashes_ondemand <> coalesce(p.ondemand, 0)",

    "SELECT 'payout ' || l.payout || ' pays ' || hex(l.account) || ', which is no client'"
    " FROM payout_lines AS l LEFT JOIN clients AS c ON c.account = l.account"
    " WHERE c.account IS NULL",

    "SELECT 'account ' || hex(account) || ' was rewarded, but is no client' FROM"
    " (SELECT DISTINCT account FROM rewards EXCEPT SELECT account FROM clients)",

    "SELECT 'reward of ' || hex(root) || ' counts ' || hashes || ' hashes instead of ' ||"
    "  expected_hashes(threshold) FROM rewards WHERE hashes <> expected_hashes(threshold)",

    "SELECT 'the pool has ' || t.rewarded || ' works of type ' || t.type || ' instead of ' ||"
    "  r.works FROM totals AS t JOIN"
    " (SELECT type, sum(works) AS works FROM"
    "  (SELECT type, count(*) AS works FROM rewards GROUP BY type"
    "   UNION ALL SELECT 0, coalesce(sum(precache), 0) FROM openings WHERE account IS NULL"
    "   UNION ALL SELECT 1, coalesce(sum(ondemand), 0) FROM openings WHERE account IS NULL)"
    "  GROUP BY type) AS r ON r.type = t.type WHERE t.rewarded <> r.works",
};

static bool check_one(struct sqlite_backend *backend, const char *query, struct store_op *op,
                      struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char text[512];
    size_t told = 0;
    int status;
    if (!sqlite_prepare(backend, query, &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW && told < op->read.limit) {
        sqlite_read_text(statement, 0, text, sizeof text);
        op->read.visit.fault(op->read.context, text);
        told++;
    }
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_check(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!check_one(backend, checks[i], op, error))
            return false;
    return sqlite_check_payouts(backend, op, error);
}
