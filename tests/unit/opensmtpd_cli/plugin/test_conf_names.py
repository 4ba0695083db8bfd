"""The smtpd.conf that names are looked up in."""

from pathlib import Path

import click
import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.plugin import conf_names
from opensmtpd_cli.system import smtpd_conf

CONF = 'table aliases file:/a\ntable hosts file:/h\nfilter hold proc-exec "x"\n'


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "smtpd.conf"
    path.write_text(CONF)
    monkeypatch.setattr(smtpd_conf, "PATHS", (str(path),))
    return path


def test_that_of_this_system(conf: Path) -> None:
    own = conf_names.read(None)
    assert own.path == str(conf)
    assert (own.names("table"), own.names("filter")) == (["aliases", "hosts"], ["hold"])
    assert own.lacks("table", "alises") == f"{conf} has no table alises; did you mean aliases?"
    assert own.lacks("filter", "aliases") == f"{conf} has no filter aliases"


def test_another_one(conf: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("table t file:/t\n")
    assert conf_names.read(str(tmp_path / "other")).names("table") == ["t"]


def test_one_that_is_given_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none: cannot read it"):
        conf_names.read(str(tmp_path / "none"))


def test_that_of_this_system_need_not_be_there() -> None:
    own = conf_names.read(None)
    assert (own.configuration, own.names("table")) == (None, [])
    assert own.lacks("table", "t") == (
        "there is no table t: /nowhere/smtpd.conf: cannot read it: No such file or directory"
    )


def test_that_of_this_system_may_be_wrong(conf: Path) -> None:
    conf.write_text("table t {\n")
    assert conf_names.read(None).lacks("filter", "f") == (
        f"there is no filter f: {conf}:1: a {{ without its }}"
    )


def completed(what: conf_names.Named, incomplete: str, **params: str) -> list[str]:
    command = click.Command("x")
    context = click.Context(command)
    context.params = params
    found = conf_names.complete(what)(context, click.Argument(["x"]), incomplete)
    return [item.value for item in found]


def test_names_are_completed(conf: Path, tmp_path: Path) -> None:
    assert completed("table", "") == ["aliases", "hosts"]
    assert completed("table", "h") == ["hosts"]
    assert completed("filter", "h") == ["hold"]
    assert completed("table", "", conf=str(tmp_path / "none")) == []
