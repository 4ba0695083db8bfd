"""smtpd as plain data: a model of the server that judges what plugins write.

``smtpd`` has the server with one filter. ``registry`` takes the filter's handshake, ``answers``
reads its lines, and ``judge`` decides whether smtpd waits for them. ``client`` has the clients:
their state is in ``dialogue`` and ``transaction``, ``checks`` has the commands that smtpd refuses,
``effects`` those that it carries out, ``syntax`` the form of addresses, ``parameters`` what may
stand behind these, and ``visit`` the steps of a whole session. ``table_smtpd`` has the server with
one table, and ``fatal`` the exceptions of both.
"""
