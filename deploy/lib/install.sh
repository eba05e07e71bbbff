# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that reads this
# Packages: what is listed in deploy/packages and not there yet.  Needs common.sh and $root.

# packages_of SECTION...: the names, one a line.
packages_of() {
    local section
    for section in "$@"; do
        awk -v want="[$section]" '/^#/ || /^$/ { next } /^\[/ { here = ($0 == want); found += here; next } here
            END { if (!found) exit 1 }' "$root/deploy/packages" || die "deploy/packages has no section [$section]"
    done
}

package_is_there() {
    # Node from elsewhere brings its own npm: what counts is that the command runs.
    case $1 in nodejs | npm) command -v "${1%js}" >/dev/null && return ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_sections SECTION...: as root or through sudo, and only what is missing; nothing is called when all is there.
install_sections() {
    local package missing=()
    command -v dpkg-query >/dev/null || die "this is not Debian: no dpkg-query.  Install by hand what deploy/packages names"
    for package in $(packages_of "$@"); do
        package_is_there "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    if [ "$(id -u)" = 0 ]; then
        "$root/deploy/lib/install-packages" "${missing[@]}" >"$install_log" 2>&1
    elif command -v sudo >/dev/null; then
        # shellcheck disable=SC2024 # the log is the caller's
        sudo "$root/deploy/lib/install-packages" "${missing[@]}" >"$install_log" 2>&1
    else
        die "not root and no sudo.  As root: apt-get install --no-install-recommends ${missing[*]}"
    fi || {
        tail -n 25 "$install_log" >&2
        die "apt-get could not install ${missing[*]}; all it said is in $install_log"
    }
    grep "^the system's own" "$install_log" || true
}
