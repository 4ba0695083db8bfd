"""The guide's server with filter-auth: ``authenticate`` says of a message what the filter did."""

import json

import pytest

from lab.peers import mail
from lab.root import inside
from lab.shows import inbound, moves
from lab.shows.guide import Guide, records
from lab.support import Lab, setups


def prepare(guide: Guide) -> None:
    moves.to_auth(guide)


pytestmark = pytest.mark.parametrize(
    "running", setups("authenticate", prepare), indirect=True, ids=str
)
HELO = "client.example.net"


@pytest.fixture(scope="module")
def signer() -> inbound.Signer:
    return inbound.new_signer()


@pytest.fixture(autouse=True)
def zone(lab: Lab, signer: inbound.Signer) -> None:
    lab.dns.records = {**records(lab.guide), **signer.zone()}


@pytest.mark.parametrize("scene", inbound.SCENES, ids=lambda scene: scene.title)
def test_what_becomes_of_mail(
    lab: Lab, signer: inbound.Signer, scene: inbound.InboundScene
) -> None:
    sender = f"bob@{scene.author}"
    composed = mail.compose(sender, inbound.ALICE, scene.title)
    message = scene.made(signer, scene.author, composed)
    with mail.connect(scene.client) as client:
        code, text = mail.send(client, sender, inbound.ALICE, message)
    said = moves.operator(
        lab.guide, "authenticate", "--json", "--client", scene.client, "--helo", HELO,
        "--from", sender, given=message.decode(),
    )  # fmt: skip
    found = json.loads(said)
    if scene.place == "refused":
        assert inbound.refusal(text.decode(), scene.author) == scene.says
        assert found["reply"] == f"{code} {text.decode()}"
        assert (found["action"], found["dmarc"]["policy_domain"]) == ("reject", scene.author)
        return
    assert code == 250
    delivered = lab.inbox.one()
    assert (delivered.folder, inbound.results(delivered.message)) == (scene.place, scene.says)
    if scene.made is inbound.sealed:  # the command knows no exceptions
        assert (found["action"], found["arc"]["sealers"]) == ("reject", [inbound.LIST])
        return
    assert f"\n{found['field']}\n" in "\n" + delivered.message.decode()
    assert found["action"] == ("quarantine" if scene.place == ".Junk" else "none")


def test_without_the_judge(lab: Lab) -> None:
    ended = inside.tried(lab.guide.view, "opensmtpd-plugins", "authenticate", "--judge", "dkimpy")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.decode() == (
        "opensmtpd-plugins: the judge dkimpy needs dkim;"
        " pip install dkimpy, or python3-dkim of Debian\n"
    )
