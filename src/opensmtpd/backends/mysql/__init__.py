"""Rows of MySQL and MariaDB: statements that the server prepares, each answer within a deadline.

``config`` reads the configuration file of table-mysql, ``options_file`` the ``my.cnf`` that it may
name. ``connection`` logs in by PyMySQL (``login``), and speaks the binary protocol of prepared
statements itself: ``statements`` asks, ``cells`` reads what is answered, over the packets of
``wire``. ``channel`` is below both, with one deadline for all that goes over it.
"""
