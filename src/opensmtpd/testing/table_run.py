"""One request to one table, in one call: what a table's author tests with."""

from opensmtpd.table import Table
from opensmtpd.table_protocol import TableConnection
from opensmtpd.testing.drive import Driver
from opensmtpd.testing.fatal import Hung
from opensmtpd.testing.tables import TableReply, TableSmtpd


def ask(
    table: Table, verb: str, service: str = "", key: str = "", *, version: str = "7.9.0"
) -> TableReply:
    """Ask ``table`` as smtpd ``version`` would, and return its answer.

    ``verb`` is ``"lookup"``, ``"check"``, ``"fetch"`` (without a key) or ``"update"`` (without a
    service). What smtpd would change in the key is changed, and wildcards match as they do there.
    Coroutines and work for threads are run to their end. ::

        assert ask(MyTable(), "lookup", "alias", "Root") == ("found", "alice@example.org")
        assert ask(MyTable(), "check", "domain", "www.example.org").result == "found"

    Raises Fatal where the table would stop smtpd, Hung where it would not answer, and ValueError
    for what smtpd would not ask it (a service that it does not register).
    """
    smtpd = TableSmtpd(version)
    driver = Driver(TableConnection(table), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    smtpd.ask(verb, service, key)
    driver.feed(smtpd.data_to_send())
    if smtpd.waiting:
        raise Hung(list(smtpd.waiting))
    return smtpd.answers[-1]
