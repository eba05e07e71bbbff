"""Installs what a family needs: Debian packages as root or through sudo, BullMQ with npm
into build/cache.  What cannot be had is said, and that family is left out."""

import os
import shutil
import subprocess

from cases import CACHE, FAMILIES, HERE, ROOT, bench_queue

INSTALL_S = 900
LOG = CACHE / "install.log"
COMMANDS = {"nodejs": "node", "npm": "npm"}  # Node from elsewhere brings its own npm


def run(words, **options):
    with open(LOG, "ab") as log:
        options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
        try:
            return subprocess.run(words, timeout=INSTALL_S, **options).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def is_installed(package):
    if package in COMMANDS:
        return shutil.which(COMMANDS[package]) is not None
    words = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except OSError:
        return False
    return done.stdout == "installed"


def install_packages(names):
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return
    print("installing", *missing, flush=True)
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    run([*sudo, ROOT / "deploy/lib/install-packages", *missing])


def install_node_modules():
    """What package-lock.json says.  `npm ci` would refuse the lock on a registry that
    lacks the optional parts for other machines; install takes the same versions."""
    done = CACHE / "node_modules/.installed"
    lock = (HERE / "package-lock.json").read_bytes()
    if done.exists() and done.read_bytes() == lock:
        return
    print("fetching BullMQ", flush=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, CACHE)
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    if run(words, cwd=CACHE):
        done.write_bytes(lock)


def version_of(name):
    """What the family says of itself; None when it cannot be used."""
    env = {**os.environ, "NODE_PATH": str(CACHE / "node_modules")}
    try:
        done = subprocess.run(
            FAMILIES[name].version, capture_output=True, text=True, env=env, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def provide(names, build, may_install):
    """({family: version}, {family: why it is missing}); needs redis-server always."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if may_install:
        packages = {p for name in names for p in FAMILIES[name].packages}
        install_packages(sorted(packages | {"redis-server"}))
        if "bullmq" in names and shutil.which("npm"):
            install_node_modules()
    there, missing = {}, {}
    for name in names:
        if name == "hoist":
            if os.access(bench_queue(build), os.X_OK):
                there[name] = version_of(name) or "?"
            else:
                missing[name] = f"no {bench_queue(build)}: ninja bench_queue hoist-worker"
            continue
        version = version_of(name)
        if version:
            there[name] = version
        else:
            packages = " ".join(FAMILIES[name].packages)
            missing[name] = f"needs {packages}; {LOG} has what installing them said"
    return there, missing
