"""Which system calls come with which needs; test_linux has what the kernel does then."""

import pytest

from opensmtpd._runtime.sandbox import seccomp
from opensmtpd.needs import Needs

FULL = Needs(("/a",), ("/b",), network=True, locks=True, forks=True, passes=True, sockets=("/c",))


def allowed(needs: Needs) -> set[str]:
    return {name for name, _ in seccomp._rules(needs)}


@pytest.mark.parametrize(
    ("needs", "names"),
    [
        (Needs(reads=("/a",)), {"openat", "getdents64"}),
        (Needs(writes=("/a",)), {"openat", "unlink", "rename", "ftruncate"}),
        (Needs(network=True), {"socket", "connect"}),
        (Needs(sockets=("/a",)), {"socket", "connect"}),
        (Needs(locks=True), {"flock"}),
        (Needs(accepts=True), {"accept", "accept4"}),
        (Needs(forks=True), {"fork", "landlock_restrict_self", "seccomp"}),
    ],
)
def test_calls_of_needs(needs: Needs, names: set[str]) -> None:
    assert names <= allowed(needs)
    assert not names & allowed(Needs())


@pytest.mark.parametrize(
    "name", ["execve", "execveat", "ptrace", "memfd_create", "io_uring_setup", "listen", "accept4"]
)
def test_calls_that_no_needs_bring(name: str) -> None:
    assert name not in allowed(FULL)


@pytest.mark.parametrize("needs", [Needs(), FULL])
def test_memory_that_runs_is_refused_to_all(needs: Needs) -> None:
    tests = {name: each for name, each in seccomp._rules(needs) if name.startswith(("m", "pkey"))}
    names = ("mmap", "mmap2", "mprotect", "pkey_mprotect")
    assert all(tests[name] == ((2, seccomp.MASKED, 4, 0),) for name in names)


@pytest.mark.parametrize("needs", [Needs(), FULL])
def test_no_call_is_allowed_both_with_tests_and_without(needs: Needs) -> None:
    """libseccomp would refuse the second rule, and the filter with it."""
    rules = list(seccomp._rules(needs))
    free = {name for name, tests in rules if not tests}
    assert free & {name for name, tests in rules if tests} == set()
