"""What the judges in Python share: checks by name, one line of output for each, names of their own, bounded waits."""

import os
import sys
import time
import traceback

bootstrap = sys.argv[1]
run = os.urandom(4).hex()
patience = 30
checks = []


class Skip(Exception):
    """Raised by a check that this client cannot make; says why."""


def check(name):
    """Registers a function as the check `area/what`."""

    def register(function):
        checks.append((name, function))
        return function

    return register


def own(what):
    """A name that no other run uses."""
    return f"judge-{run}-{what}"


def until(condition, what):
    """The first true value of condition(), which is asked again and again and should itself wait a little."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what() if callable(what) else what}")


def answered(topic, ask, failure):
    """
    Waits until `ask`, which asks each partition of a new topic, raises `failure` no more. Apache Kafka opens partitions
    one by one after it has said that they are made; what finds its own closed is late, or lost with acks=0.
    """
    why = None

    def asked():
        nonlocal why
        try:
            ask()
            return True
        except failure as error:
            why = error
            time.sleep(0.02)
            return False

    until(asked, lambda: f"an answer of each partition of {topic}: {why}")


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what} is {shown(actual)}, not {shown(expected)}")


def comes_to(read, expected, what):
    """Waits until as much is read; a node of Apache Kafka ends a transaction a moment after it has said so."""
    until(lambda: len(read()) >= len(expected), lambda: f"{what}; read is {shown(read())}")
    equal(read(), expected, what)


def shown(value):
    text = f"{len(value)} × {value!r}" if isinstance(value, list) and len(value) > 20 else repr(value)
    return text if len(text) < 400 else text[:400] + "…"


def judge():
    """Runs every check, goes on after a failure, and exits with 1 if there was one."""
    failed = False
    for name, function in checks:
        print(f"# {name}", flush=True)
        try:
            function()
            print(f"ok {name}", flush=True)
        except Skip as reason:
            print(f"skip {name}: {reason}", flush=True)
        except Exception as error:
            failed = True
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"not ok {name}: {text}", flush=True)
            traceback.print_exc()
    sys.stdout.flush()
    # Threads of a client that is stuck must not keep the process.
    os._exit(1 if failed else 0)
