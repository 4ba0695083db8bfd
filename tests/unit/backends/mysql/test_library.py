import subprocess
import sys

import pytest

PROGRAM = """
import sys
from opensmtpd.backends.mysql.library import load
from opensmtpd.errors import ConfigError
{before}
try:
    load("/etc/mail/mysql.conf", in_clear={in_clear})
except ConfigError as error:
    print(error)
else:
    import pymysql._auth
    loaded = [name for name in ("cryptography", "ssl") if sys.modules.get(name)]
    print(pymysql._auth._have_cryptography, *loaded)
"""


def said(in_clear: bool, before: str = "") -> str:
    program = PROGRAM.format(in_clear=in_clear, before=before)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def test_nothing_that_is_not_needed() -> None:
    assert said(False) == "False"


def test_passwords_that_are_sent_in_clear_need_more() -> None:
    assert said(True) == "True cryptography"


def test_they_need_it_later() -> None:
    assert said(True, "load('/etc/mail/mysql.conf', in_clear=False)") == "True cryptography"


def test_what_was_loaded_before_stays() -> None:
    assert said(False, "import cryptography, ssl").endswith("cryptography ssl")


@pytest.mark.parametrize("in_clear", [True, False])
def test_where_it_is_missing(in_clear: bool) -> None:
    assert said(in_clear, "sys.modules['pymysql'] = None") == (
        "/etc/mail/mysql.conf: it needs PyMySQL; pip install 'opensmtpd-plugins[mysql]'"
    )


def test_where_the_other_one_is_missing() -> None:
    assert said(True, "sys.modules['cryptography'] = None") == "False"


def test_a_password_is_encrypted_where_nothing_can_be_imported_any_more() -> None:
    """The first password may be asked for in the sandbox: the server was away at the start."""
    program = """
import sys
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
key = generate_private_key(65537, 2048).public_key()
pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
for name in [name for name in sys.modules if name.startswith("cryptography.hazmat.backends")]:
    del sys.modules[name]
from opensmtpd.backends.mysql.library import load
load("/etc/mail/mysql.conf", in_clear=True)
import pymysql._auth

class Refusing:
    def find_spec(self, name, *more):
        raise PermissionError(1, name)

sys.meta_path.insert(0, Refusing())
print(len(pymysql._auth.sha2_rsa_encrypt(b"secret", b"s" * 20, pem)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == "256\n"


def test_what_the_sandbox_refuses_is_no_error() -> None:
    program = """
import sys
from opensmtpd.backends.mysql.library import load
load("/etc/mail/mysql.conf", in_clear=False)

class Refusing:
    def find_spec(self, name, *more):
        raise PermissionError(1, name)

sys.meta_path.insert(0, Refusing())
load("/etc/mail/mysql.conf", in_clear=True)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
