"""Which paths must be readable so that a file can be read again."""

from pathlib import Path

import pytest

from opensmtpd._runtime.sandbox import paths


@pytest.mark.parametrize(
    "folder", ["/", "/etc", "/etc/", "/etc/mail", "/home/alice", "/tmp/../etc"]
)
def test_folders_that_others_use(folder: str) -> None:
    assert paths.is_shared(folder)


@pytest.mark.parametrize("folder", ["/etc/mail/dkim", "/var/lib/smtpd-keys", "/home/alice/keys"])
def test_folders_of_one_plugin(folder: str) -> None:
    assert not paths.is_shared(folder)


def test_a_shared_folder_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    assert paths.is_shared(str(tmp_path / "link"))


def test_a_file_stands_for_its_folder(tmp_path: Path) -> None:
    assert list(paths.folders(str(tmp_path / "key"))) == [str(tmp_path)]
    assert list(paths.folders("/etc/aliases")) == ["/etc/aliases"]
    assert list(paths.folders("/dev/null")) == ["/dev/null"]


def test_a_folder_stands_for_itself(tmp_path: Path) -> None:
    assert list(paths.folders(str(tmp_path))) == [str(tmp_path)]
    assert list(paths.folders("/etc/../etc")) == ["/etc"]


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(paths.folders("key")) == [str(tmp_path)]


def test_a_link_and_all_that_it_leads_to(tmp_path: Path) -> None:
    for name in ("links", "more", "keys"):
        (tmp_path / name).mkdir()
    (tmp_path / "links" / "key").symlink_to("../more/key")
    (tmp_path / "more" / "key").symlink_to(tmp_path / "keys" / "key")
    found = list(paths.folders(str(tmp_path / "links" / "key")))
    assert found == [str(tmp_path / name) for name in ("links", "more", "keys")]
    assert list(paths.names(str(tmp_path / "links" / "key"))) == [f"{each}/key" for each in found]


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    assert len(list(paths.names(str(tmp_path / "one")))) == paths.LINKS_MAX
    assert set(paths.folders(str(tmp_path / "one"))) == {str(tmp_path)}
