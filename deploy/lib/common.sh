# shellcheck shell=bash
# What every script here uses: messages, deadlines, process ids that can be trusted, daemons.
#
# A daemon NAME has run/NAME.pid (the process id alone, for people and scripts), run/NAME.stat (id, start time and boot,
# so that a recycled id is never taken for ours) and log/NAME.log.  The callers set $state first.

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

now_ms() { # sets $now; EPOCHREALTIME has its own idea of the decimal point
    now=${EPOCHREALTIME/[.,]/}
    now=$((now / 1000))
}

# wait_until SECONDS COMMAND...: run it until it succeeds.  1: the deadline has passed.
wait_until() {
    local now end
    now_ms
    end=$((now + $1 * 1000))
    shift
    until "$@"; do
        now_ms
        [ "$now" -lt "$end" ] || return 1
        sleep 0.03
    done
}

show_log() { # NAME: what it said last
    [ -s "$state/log/$1.log" ] || return 0
    printf -- '--- the end of %s\n' "$state/log/$1.log" >&2
    tail -n 20 "$state/log/$1.log" >&2
}

# --- Processes ---

# proc_start PID: set $proc_started to its start time, in clock ticks since boot; 1: no such process, or a zombie.
proc_start() {
    local line fields
    proc_started=
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field is the name in parentheses and may hold anything; what follows the last one is regular.
    read -r -a fields <<<"${line##*) }"
    case ${fields[0]} in Z | X) return 1 ;; esac
    proc_started=${fields[19]}
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# daemon_pid NAME: set $pid if the process that we started as NAME lives.
daemon_pid() {
    local stat_pid started boot
    pid=
    [ -r "$state/run/$1.pid" ] && [ -r "$state/run/$1.stat" ] || return 1
    read -r pid <"$state/run/$1.pid" || return 1
    read -r stat_pid started boot <"$state/run/$1.stat" || return 1
    if [[ $pid =~ ^[1-9][0-9]*$ ]] && [ "$pid" = "$stat_pid" ] && [ "$boot" = "$(boot_id)" ] &&
        proc_start "$pid" && [ "$proc_started" = "$started" ]; then
        return 0
    fi
    pid=
    return 1
}

# session_left NAME: set $left to the processes of the session of NAME, whose leader has died.  The kernel gives no new
# process the id of a session that still has one, so they are ours.
session_left() {
    local leader started boot file line fields
    left=()
    [ -r "$state/run/$1.stat" ] && read -r leader started boot <"$state/run/$1.stat" || return 1
    [ "$boot" = "$(boot_id)" ] && ! proc_start "$leader" || return 1
    for file in /proc/[0-9]*/stat; do
        { read -r line <"$file"; } 2>/dev/null || continue
        read -r -a fields <<<"${line##*) }"
        # After the name: state, parent, group, session.
        if [ "${fields[3]}" = "$leader" ] && [ "${fields[0]}" != Z ]; then
            file=${file#/proc/}
            left+=("${file%/stat}")
        fi
    done
    [ ${#left[@]} -gt 0 ]
}

no_session_left() { ! session_left "$1"; }

# daemon_forget NAME: it is dead; end what it left behind (the children of a web server that was killed hold its port)
# and remove its files.
daemon_forget() {
    local left
    if session_left "$1"; then
        kill -KILL "${left[@]}" 2>/dev/null || true
        wait_until 10 no_session_left "$1" || warn "$1: ${left[*]} cannot be killed"
    fi
    rm -f "$state/run/$1.pid" "$state/run/$1.stat"
}

# daemon_start NAME COMMAND...: in a session of its own, so that it survives the terminal, with no descriptor but its log.
daemon_start() {
    local name=$1 fd
    shift
    printf -- '--- %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$state/log/$name.log"
    (
        trap - EXIT
        exec </dev/null >>"$state/log/$name.log" 2>&1
        for fd in /proc/"$BASHPID"/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        cd /
        exec setsid "$@"
    ) &
    pid=$!
    disown "$pid"
    proc_start "$pid" || proc_started=0
    printf '%s %s %s\n' "$pid" "$proc_started" "$(boot_id)" >"$state/run/$name.stat"
    printf '%s\n' "$pid" >"$state/run/$name.pid"
}

# daemon_gone NAME: the process is not there, or not ours.
daemon_gone() { ! daemon_pid "$1"; }

# daemon_await NAME SECONDS WHAT COMMAND...: until COMMAND succeeds; fails as soon as NAME has died.
daemon_await() {
    local name=$1 seconds=$2 what=$3
    shift 3
    # shellcheck disable=SC2317 # called through wait_until
    settled() { "$@" || daemon_gone "$name"; }
    if wait_until "$seconds" settled "$@" && ! daemon_gone "$name"; then
        return 0
    fi
    if daemon_gone "$name"; then
        warn "$name has died before $what"
    else
        warn "$name: no $what within $seconds s"
    fi
    return 1
}

# daemon_term NAME: tell it to end.  1: it does not run.
daemon_term() {
    if ! daemon_pid "$1"; then return 1; fi
    kill -TERM "$pid" 2>/dev/null || true
}

# daemon_stop NAME SECONDS: TERM, wait, KILL.  Only what we started; files of the dead are removed.
daemon_stop() {
    local name=$1 ended=stopped
    if daemon_term "$name"; then
        if ! wait_until "$2" daemon_gone "$name"; then
            ended="killed, did not end within $2 s"
            if daemon_pid "$name"; then kill -KILL "$pid" 2>/dev/null || true; fi
            wait_until 10 daemon_gone "$name" || die "$name: process $pid cannot be killed"
        fi
    fi
    say "  $name: $ended"
    daemon_forget "$name"
}

# The names that have a pid file, in the order in which they are to be stopped.
daemon_names() {
    local file name first='' workers='' last=''
    for file in "$state"/run/*.pid; do
        [ -e "$file" ] || continue
        name=${file##*/}
        name=${name%.pid}
        case $name in
        web) first="web $first" ;;
        fcgi) first="$first fcgi" ;;
        redis) last=redis ;;
        *) workers="$workers $name" ;;
        esac
    done
    # shellcheck disable=SC2086 # words on purpose
    printf '%s\n' $first $workers $last
}

# --- The state directory ---

# state_set: $root is the clone, $state the absolute path of HOIST_STATE.
state_set() {
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    state=${HOIST_STATE:-$root/.hoist}
    case $state in /*) ;; *) state=$PWD/$state ;; esac
    state=${state%/}
    # It is written into the configuration of four programs, each with its own quoting.
    if [[ $state =~ [[:space:][:cntrl:]\"\'\\\$\;\#\{\}%*?\[\]\|\<\>\&\(\)] ]]; then
        die "HOIST_STATE: '$state' has characters that a web server's configuration would take apart"
    fi
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    export PATH
}

# state_lock: one up or down at a time.  The descriptor is closed in daemons, so that the lock ends with the script.
state_lock() {
    exec 9>"$state/lock"
    flock -w 120 9 || die "another deploy/up or deploy/down has been busy in $state for 120 s"
}

# ini_get FILE SECTION KEY: print the value, from what --show-config prints.
ini_get() {
    awk -v section="[$2]" -v key="$3" '
        /^[ \t]*\[/ { here = $0; gsub(/^[ \t]+|[ \t]+$/, "", here); next }
        here == section && (at = index($0, "=")) {
            name = substr($0, 1, at - 1); gsub(/[ \t]/, "", name)
            if (name == key) { value = substr($0, at + 1); gsub(/^[ \t]+|[ \t]+$/, "", value) }
        }
        END { print value }' "$1"
}
