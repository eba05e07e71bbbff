#include "worker/top/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "worker/env.h"
#include "worker/top/draw.h"

enum { COLUMNS_ELSE = 120, LINES_ELSE = 24, OUT_BYTES = 600 * 1024 };

/* The other screen without its cursor, and back.  ECMA-48; xterm's private modes 1049 and 25. */
static const char enter[] = "\033[?1049h\033[?25l";
static const char leave[] = "\033[?25h\033[?1049l";
static const char home[] = "\033[H", clear_below[] = "\033[J", clear_line[] = "\033[K";

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void on_resize(int number)
{
    (void)number; /* poll is interrupted, that is all */
}

static void catch (int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: poll ends */

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL); /* fails for no signal of these */
}

static void write_all(const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, s, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            ended = 1; /* the terminal has gone */
            return;
        }
        s += n;
        len -= (size_t)n;
    }
}

static struct draw_size terminal_size(void)
{
    struct winsize w = {.ws_col = 0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0)
        return (struct draw_size){.columns = COLUMNS_ELSE, .lines = LINES_ELSE};
    return (struct draw_size){.columns = w.ws_col, .lines = w.ws_row - 1};
}

/* Over what is there, so that nothing flickers. */
static void show(const struct buf *lines)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT(2 * OUT_BYTES);

    buf_puts(&out, home);
    for (size_t i = 0; i < lines->len; i++) {
        if (lines->data[i] == '\n')
            buf_puts(&out, clear_line);
        buf_putc(&out, lines->data[i]);
    }
    buf_puts(&out, clear_below);
    write_all(out.data, out.len);
}

static void draw_once(struct redis *r, const struct config *config, struct picture *p)
{
    CLEANUP(buf_release) struct buf lines = BUF_INIT(OUT_BYTES);
    struct err e = ERR_INIT;

    if (picture_read(r, config, p, &e) == ERR_OK)
        draw_picture(&lines, p, terminal_size());
    else
        buf_printf(&lines, "hoist " HOIST_VERSION "   %s\n", e.text);
    show(&lines);
}

/* Until a key, a signal or the time for the next look. */
static void wait_for_key(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;

    if (poll(&in, 1, TOP_EVERY_MS) <= 0)
        return;
    if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q')
        ended = 1;
}

static void run_on_terminal(struct redis *r, const struct config *config,
                            struct picture *p)
{
    struct termios before, raw;
    bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;

    if (is_terminal) {
        raw = before;
        raw.c_lflag &=
            ~(tcflag_t)(ICANON | ECHO); /* keys at once; Ctrl-C still a signal */
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    catch (SIGINT, on_signal);
    catch (SIGTERM, on_signal);
    catch (SIGHUP, on_signal);
    catch (SIGWINCH, on_resize);
    write_all(enter, sizeof enter - 1);
    while (!ended) {
        draw_once(r, config, p);
        if (!ended)
            wait_for_key();
    }
    write_all(leave, sizeof leave - 1);
    if (is_terminal)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static enum err_code print_once(struct redis *r, const struct config *config,
                                struct picture *p, struct err *e)
{
    CLEANUP(buf_release) struct buf lines = BUF_INIT(OUT_BYTES);

    if (picture_read(r, config, p, e))
        return e->code;
    draw_picture(&lines, p, (struct draw_size){.columns = COLUMNS_ELSE, .lines = 0});
    write_all(lines.data, lines.len);
    return ERR_OK;
}

enum err_code top_run(const struct config *config, struct err *e)
{
    struct redis_target target = REDIS_TARGET_INIT;
    struct redis *r = NULL;
    enum err_code code = env_redis_target(&config->redis, &target, e);
    struct redis_options o = {.target = target,
                              .connect_timeout_ms =
                                  (int)config->redis.connect_timeout_ms,
                              .timeout_ms = (int)config->redis.timeout_ms};
    struct picture *p = calloc(1, sizeof *p);

    if (code == ERR_OK && !p)
        code = err_set(e, ERR_NOMEM, "no memory for a picture");
    if (code == ERR_OK)
        code = redis_open(&o, &r, e);
    if (code == ERR_OK && isatty(STDOUT_FILENO) == 1)
        run_on_terminal(r, config, p);
    else if (code == ERR_OK)
        code = print_once(r, config, p, e);
    redis_close(r);
    free(p);
    redis_target_release(&target);
    return code;
}
