"""The lines to change."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.diff import diff, replaced

STATEMENTS = st.lists(
    st.sampled_from(
        [
            "table {} file:/x",
            "  table  {}  file:/x # why",
            "table \\\n {} \\\n file:/x",
            'table "{} \'" "/a b"',
            "table {} {{\n a,\n b # c\n}}",
            "table {} {{ a = 'b\n c' }} # \\\nmore",
            "m = 'table {} file:/x'\n$m",
            "m = '{} file'\ntable $m:/x # c",
            "m = '\"{} {{\" {{'\ntable $m a }}",
            "m = '/é'\ntable {} file:/x\n# $m",
            "m = 'file:/x'\ntable {} $m/e",
            "table {} db:/x",
            "action {} mbox alias <t0>",
            "match for domain <t1> \\\n reject",
            "# table {} file:/x",
            "",
        ]
    ),
    max_size=6,
)


@given(STATEMENTS, st.sampled_from(["\n", ""]), st.sampled_from(["c", "a b", "é", "it's"]))
def test_what_is_read_after_the_change(statements: list[str], end: str, name: str) -> None:
    lines = [line.format(f"t{number}") for number, line in enumerate(statements)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "smtpd.conf"
        path.write_text("\n".join(lines) + end, encoding="utf-8")
        old = parser.read(str(path))
        targets = {table: f"sqlite:/{name}/{table}" for table in list(old.tables)[::2]}
        text = replaced(old, str(path), targets)
        changed = diff(old, targets)
        path.write_bytes(text.encode("latin-1"))
        new = parser.read(str(path))
    assert bool(changed) == bool(targets)
    assert new.uses == old.uses
    assert list(new.tables) == list(old.tables)
    for table in old.tables:
        was = (old.tables[table].target, old.tables[table].rows)
        target = targets.get(table)
        now = new.tables[table].target
        rows = [row[1:] for row in new.tables[table].rows]
        assert (now, rows) == ((target, []) if target else (was[0], [row[1:] for row in was[1]]))
