#!/usr/bin/python3
"""The health prober: one check every --every milliseconds, whatever became of the last.

A process of its own, so that the uploads' client cannot slow it down.  Prints "ready"
when the first check has been answered, fires until its standard input ends, waits for
the checks still out, and prints one JSON object.  Times are CLOCK_MONOTONIC.
"""

import argparse
import asyncio
import json
import sys
import time

import wire

MAX_CHECKS = 100_000


class Probe:
    def __init__(self, args):
        self.address = (args.host, args.port)
        self.target = args.target
        self.timeout_s = args.timeout
        self.every_s = args.every / 1000
        self.checks = []
        self.late_s = 0.0
        self.running = set()

    async def check(self):
        fired = time.monotonic()
        outcome = "ok"
        try:
            answer = await wire.request(self.address, "GET", self.target, self.timeout_s)
            ended = answer.at
            if answer.status != 200:
                outcome = f"status {answer.status}"
        except TimeoutError:
            ended, outcome = time.monotonic(), "timeout"
        except (OSError, EOFError, ValueError, wire.WireError) as error:
            ended, outcome = time.monotonic(), type(error).__name__
        self.checks.append({"fired": fired, "took": ended - fired, "outcome": outcome})

    def fire(self):
        task = asyncio.create_task(self.check())
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def run(self, stop):
        """Checks at fixed moments; one that is fired late is counted in late_s."""
        due = time.monotonic()
        for _ in range(MAX_CHECKS):
            self.fire()
            due += self.every_s
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stop.wait()
                    break
            except TimeoutError:
                self.late_s = max(self.late_s, time.monotonic() - due)
        await asyncio.gather(*self.running)


async def main():
    parser = argparse.ArgumentParser(description="A health prober.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", default="/health")
    parser.add_argument("--every", type=float, default=50, help="milliseconds")
    parser.add_argument("--timeout", type=float, default=60, help="seconds")
    probe = Probe(parser.parse_args())
    await probe.check()
    if probe.checks[0]["outcome"] != "ok":
        sys.exit(f"health check: {probe.checks[0]['outcome']}")
    print("ready", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    await probe.run(stop)
    print(json.dumps({"checks": probe.checks, "late": probe.late_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
