"""The orders of the front to the worker that talks to milters: see ``process.worker``."""

CONNECT, HELO, MAIL, RCPT, DATA, CONTENT, BODY, EOM = range(8)
FIELDS, EDITS, ABORT, QUIT, WAIT, PING = range(8, 14)
