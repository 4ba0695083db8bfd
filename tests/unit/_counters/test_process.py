"""The counter file of this process."""

import os
from pathlib import Path

import pytest

from opensmtpd._counters import process, record
from opensmtpd._counters.counts import OWN


def test_it_is_written_from_the_start_to_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_file", None)
    process.write()  # without a file, nothing happens
    process.begin("table-passwd")
    OWN.add("opensmtpd_plugin_table_updates", "ok")
    process.write()
    _, values = record.unpack((folder / "table-passwd.0").read_bytes())
    assert (sum(values), values) == (1, OWN.values)
    assert process._file is not None
    os.close(process._file._descriptor)
