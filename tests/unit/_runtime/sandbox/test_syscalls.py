"""The lists of system calls."""

from itertools import combinations

from opensmtpd._runtime.sandbox import syscalls

LISTS = {name: text.split() for name, text in vars(syscalls).items() if name.isupper()}


def test_each_call_stands_in_one_list_and_once() -> None:
    assert all(len(set(names)) == len(names) for names in LISTS.values())
    for one, other in combinations(LISTS.values(), 2):
        assert set(one) & set(other) == set()


def test_every_process_opens_nothing_by_name_and_changes_no_file() -> None:
    refused = {"open", "openat", "unlink", "rename", "socket", "connect", "clone", "kill"}
    assert set(LISTS["EVERY"]) & refused == set()
