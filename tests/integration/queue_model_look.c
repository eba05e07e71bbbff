#include "tests/integration/queue_model_run.h"

#include "tests/integration/queue_harness.h"

#include <stdio.h>
#include <string.h>

/* What stands in the keys of queue "q", as model_describe writes it; the first line says how many markers wake holds. ARGV:
 * how many jobs there are; then groups, unique keys and ids of batches, "|" before each of the last two kinds. */
static const char look[] =
    "local q, out, states = 'hoist:{q}:', {}, {}\n"
    "local function call(c, k, ...) return redis.call(c, q .. k, ...) end\n"
    "local function n(id) return tonumber(string.sub(id, -12), 16) end\n"
    "local function line(...) out[#out + 1] = table.concat({...}, ' ') end\n"
    "local function set(name, timed)\n"
    "  local at, members = {name}, call('ZRANGE', name, 0, -1, 'WITHSCORES')\n"
    "  for i = 1, #members, 2 do\n"
    "    at[#at + 1] = n(members[i]) .. (timed and '@' .. members[i + 1] or '')\n"
    "  end\n"
    "  line(unpack(at))\n"
    "end\n"
    "local kinds = {{}, {}, {}}\n"
    "local kind = 1\n"
    "for i = 2, #ARGV do\n"
    "  if ARGV[i] == '|' then kind = kind + 1\n"
    "  else table.insert(kinds[kind], ARGV[i]) end\n"
    "end\n"
    "line('wake', call('ZCARD', 'wake'))\n"
    "set('ready')\n"
    "local at, waiting = {'grouped'}, call('ZRANGE', 'grouped', 0, -1)\n"
    "for _, group in ipairs(kinds[1]) do\n"
    "  for _, m in ipairs(waiting) do\n"
    "    if string.match(m, '^[^:]*') == group then at[#at + 1] = n(m) end\n"
    "  end\n"
    "end\n"
    "line(unpack(at))\n"
    "set('behind') set('later', true) set('leased', true) set('dead', true)\n"
    "set('done', true)\n"
    "at = {'groups'}\n"
    "local slots = 0\n"
    "for _, g in ipairs(kinds[1]) do\n"
    "  at[#at + 1] = tonumber(call('ZSCORE', 'groups', g) or 0)\n"
    "  slots = slots + at[#at]\n"
    "end\n"
    "line(unpack(at))\n"
    "at = {'unique'}\n"
    "for _, key in ipairs(kinds[2]) do\n"
    "  local holder = string.match(call('HGET', 'unique', key) or '', '^%S+')\n"
    "  at[#at + 1] = holder and n(holder) or -1\n"
    "end\n"
    "line(unpack(at))\n"
    "local text = 'batches'\n"
    "for _, b in ipairs(kinds[3]) do\n"
    "  local value = call('HGET', 'batches', b)\n"
    "  text = text .. (value and ' ' .. value or '') .. ';'\n"
    "end\n"
    "line(text)\n"
    "local s = call('HMGET', 'stats', 'enqueued', 'done', 'failed', 'retried', "
    "'dead',\n"
    "  'cancelled', 'crashed', 'started', 'bytes')\n"
    "for i = 1, 9 do s[i] = tonumber(s[i] or 0) end\n"
    "line('stats', unpack(s))\n"
    "local alive, bytes, jobs = 0, 0, {}\n"
    "local final = {done = true, dead = true, cancelled = true}\n"
    "for i = 0, ARGV[1] - 1 do\n"
    "  local id = string.format('01930000-0000-7000-8000-%012x', i)\n"
    "  local r = call('HMGET', 'job:' .. id, 'state', 'priority', 'attempts', "
    "'crashes',\n"
    "    'cancel', 'bytes')\n"
    "  if r[1] then\n"
    "    local owner, slot = call('HGET', 'owner', id), call('HGET', 'slots', id)\n"
    "    jobs[#jobs + 1] = table.concat({'job', i, r[1], r[2] or 0, r[3] or 0, r[4] or "
    "0,\n"
    "      r[5] or 0}, ' ') .. (owner and ' ' .. owner or '') ..\n"
    "      (slot and ' slot ' .. slot or '')\n"
    "    if not final[r[1]] then alive, bytes = alive + 1, bytes + r[6] end\n"
    "  end\n"
    "end\n"
    "local lines = 0\n"
    "for _, name in ipairs({'ready', 'grouped', 'behind', 'later', 'leased'}) do\n"
    "  lines = lines + call('ZCARD', name)\n"
    "end\n"
    "line('law', s[1] - lines - s[2] - call('ZCARD', 'dead') - s[6], alive - lines,\n"
    "  s[9] - bytes, slots - call('HLEN', 'slots'),\n"
    "  call('HLEN', 'owner') - call('HEXISTS', 'owner', '_') - call('HEXISTS', "
    "'owner', '_minute') - call('ZCARD', "
    "'leased'))\n"
    "return table.concat(out, '\\n') .. '\\n' .. table.concat(jobs, '\\n')\n";

static struct redis_value *ask(const struct model *m)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "EVAL");
    redis_cmd_add_str(&c, look);
    redis_cmd_add_int(&c, 0);
    redis_cmd_add_int(&c, m->job_count);
    for (int i = 0; i < MODEL_GROUPS; i++)
        redis_cmd_add_str(&c, model_groups[i]);
    redis_cmd_add_str(&c, "|");
    for (int i = 0; i < MODEL_KEYS; i++)
        redis_cmd_add_str(&c, model_keys[i]);
    redis_cmd_add_str(&c, "|");
    for (int i = 0; i < MODEL_BATCHES; i++)
        redis_cmd_add_format(&c, "0193ba7c-0000-7000-8000-%012x", (unsigned)i);
    return run(&c);
}

/* The first line that is not the same. */
static bool same_lines(struct model_run *run, const char *got, const char *want)
{
    while (*got || *want) {
        size_t g = strcspn(got, "\n"), w = strcspn(want, "\n");
        if (g != w || memcmp(got, want, g) != 0) {
            (void)snprintf(run->why, sizeof run->why,
                           "in Redis \"%.*s\"\nin the model \"%.*s\"", (int)g, got,
                           (int)w, want);
            return false;
        }
        got += g + (got[g] == '\n');
        want += w + (want[w] == '\n');
    }
    return true;
}

bool model_look(struct model_run *run)
{
    char want[MODEL_TEXT_MAX];
    struct redis_value *v = ask(&run->model);
    const char *got = redis_value_str(v, NULL);
    bool marked = strncmp(got, "wake 1\n", 7) == 0;

    model_describe(&run->model, want);
    bool right = same_lines(run, got + strcspn(got, "\n") + 1, want);
    if (right && !marked && model_needs_marker(&run->model)) {
        right = false;
        (void)snprintf(run->why, sizeof run->why,
                       "there is work, and no marker in wake: workers sleep on");
    }
    redis_reply_free(v);
    return right;
}
