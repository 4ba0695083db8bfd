"""Calls of the C library."""

import os

import pytest

from opensmtpd._runtime.sandbox.libc import call, library
from opensmtpd.errors import LocalError


def test_a_call_returns_its_result() -> None:
    assert call(library().getpid) == os.getpid()


def test_a_call_that_fails_raises_its_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as error:
        call(library().close, -1)
    assert error.value.errno == 9


def test_the_library_is_opened_once() -> None:
    assert library() is library()


def test_a_library_that_is_not_there() -> None:
    with pytest.raises(LocalError, match=r"no libnone\.so\.2"):
        library("libnone.so.2")
