"""Edit messages in every way, as filters for authentication and for spam do."""

from opensmtpd import options, run
from opensmtpd.errors import Refused
from opensmtpd.filter import EditedMessage, Filter, Reject, Session


class Edit(EditedMessage):
    async def end(self) -> None:
        for field in self.named(b"Authentication-Results"):
            self.remove(field)
        self.prepend(b"Authentication-Results", [b"mx.example.com;", b"\tnone"])
        for field in self.named(b"Subject"):
            self.replace(field, [b"[offer]", b"\t" + field.value])
        self.append(b".X-Edited", b"yes")
        if self.named(b"X-Replace"):
            self.replace_body([b"..new", b"."])
        else:
            self.append_body([b".-- ", b"."])
        if self.named(b"X-Refuse"):
            raise Refused(Reject(550, "5.7.1 As you wish"))
        if self.named(b"X-Fail"):
            raise ValueError("as you wish")


class Edits(Filter):
    def on_message(self, session: Session) -> EditedMessage:
        return Edit()


if __name__ == "__main__":
    run.filter(lambda _: Edits(), options.filter_parser("filter-edit", __doc__))
