"""Filters that judge clients: what they look at, what they may do, and whom they spare.

``screen`` has the base class of such filters, ``response`` what they answer, ``client`` what is
known of a client, ``exempt`` who is spared, ``checks``, ``lookup``, ``dynamic`` and ``helo``
the checks of filter-rdns and filter-fcrdns, ``options`` the options that all of them have.
"""
