"""Have rspamd scan messages, over HTTP (https://docs.rspamd.com/developers/protocol).

``request`` says which headers a request has, ``upload`` sends it, ``reply`` reads the answer, and
``edits`` does what a ``RspamdVerdict`` asks for. ``scan`` follows one message through all of this,
with the worker of ``worker`` between it and rspamd.
"""
