"""The exceptions of the operator's program."""

from opensmtpd_cli.errors import Stopped


def test_the_end_of_a_run_keeps_what_it_means_for_smtpd() -> None:
    stopped = Stopped("fatal: lost processor", "dies, and all mail stops")
    assert (stopped.outcome, stopped.effect) == (
        "fatal: lost processor", "dies, and all mail stops",
    )  # fmt: skip
    assert str(stopped) == "fatal: lost processor"
