"""The milter protocol, the side of the MTA, without I/O: versions 2 to 6.

There is no RFC. The protocol is defined by the header files of Sendmail, ``mfdef.h`` and
``mfapi.h``, whose names stand beside ours, and by its library libmilter, with which nearly all
milters are built; Postfix (``milter8.c``) shows which liberties they take.

``session`` has the steps of one connection. ``frames``, ``commands`` and ``negotiation`` make and
read the bytes, ``replies`` and ``reply_text`` the milter's answers. ``modifications`` does to a
message what the milter wants done, with the fields in ``header``.
"""
