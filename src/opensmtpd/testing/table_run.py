"""One request to one table, in one call: for the tests of a table."""

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.table import Table
from opensmtpd.testing.checks import check_table
from opensmtpd.testing.driver import Driver
from opensmtpd.testing.model.fatal import Hung
from opensmtpd.testing.model.table_smtpd import TableReply, TableSmtpd


def ask(
    table: Table, verb: str, service: str = "", key: str = "", *, version: str = "7.9.0"
) -> TableReply:
    """Ask ``table`` as smtpd ``version`` would, and return its answer.

    ``verb`` is ``"lookup"``, ``"check"``, ``"fetch"`` (without a key) or ``"update"`` (without a
    service). The key is changed as smtpd would change it, and wildcards match as they do there.
    Coroutines and offloads are run to their end. ::

        assert ask(MyTable(), "lookup", "alias", "Root") == ("found", "alice@example.org")
        assert ask(MyTable(), "check", "domain", "www.example.org").result == "found"

    Raises Fatal where the table would stop smtpd, Hung where it would not answer, and ValueError
    for a request that smtpd would not send (a service that the table does not register). Raises
    LocalError for a table that ``run.table`` would not start, and TypeError for a class in its
    place.
    """
    check_table(table)
    smtpd = TableSmtpd(version)
    with Driver(TableConnection(table), smtpd.receive) as driver:
        driver.feed(smtpd.data_to_send())
        smtpd.ask(verb, service, key)
        driver.feed(smtpd.data_to_send())
    if smtpd.waiting:
        raise Hung(list(smtpd.waiting))
    return smtpd.answers[-1]
