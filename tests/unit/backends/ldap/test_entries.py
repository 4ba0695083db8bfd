"""Entries of the directory: their values in the order of the attributes, and what makes a row."""

import pytest

from opensmtpd.backends.ldap.entries import LdapEntry, all_values, entry, first_values


@pytest.mark.parametrize(
    ("found", "attributes", "values"),
    [
        ({"mail": [b"a@b", b"c@d"]}, ["mail"], [["a@b", "c@d"]]),
        ({"Mail": [b"a@b"]}, ["mAIL"], [["a@b"]]),
        ({"cn": [b"a"]}, ["mail"], [[]]),
        ({}, ["mail"], [[]]),
        ({}, [], []),
        ({"cn": [b"a"]}, [], []),
        ({"UID": [b"1"], "gid": [b"2"]}, ["gid", "uid"], [["2"], ["1"]]),
        ({"uid": [b"1"], "cn": [b"2"]}, ["uid", "home"], [["1"], []]),
        ({"uid": [b"1"]}, ["uid", "uid"], [["1"], ["1"]]),
        ({"cn": [b"\xff\xe9", "é".encode(), b""]}, ["cn"], [["\udcff\udce9", "é", ""]]),
        ({"cn;lang-de": [b"a"]}, ["cn"], [[]]),
    ],
)
def test_an_entry(
    found: dict[str, list[bytes]], attributes: list[str], values: list[list[str]]
) -> None:
    assert entry(found, attributes) == values


@pytest.mark.parametrize(
    ("entries", "row", "values"),
    [
        ([], None, []),
        ([[["a"]]], ["a"], ["a"]),
        ([[["a", "b"]]], ["a"], ["a", "b"]),
        ([[["a"]], [["b", "c"]]], ["b"], ["a", "b", "c"]),
        ([[["a"]], [[]]], ["a"], ["a"]),
        ([[[""]]], None, []),
        ([[["", "x"]]], ["x"], ["x"]),
        ([[["1"], ["2"]], [["3"], []]], ["1", "2"], ["1", "2", "3"]),
        ([[["1"], []], [[], ["2"]]], None, ["1", "2"]),
        ([[]], [], []),
    ],
)
def test_rows(entries: list[LdapEntry], row: list[str] | None, values: list[str]) -> None:
    assert first_values(entries) == row
    assert all_values(entries) == values
