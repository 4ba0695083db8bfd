"""Policy filters: they check clients, respond to the findings, and exempt some clients.

``filter`` has their base class, ``verdict`` the verdict and its reasons, ``reason_field`` the
header fields with the reasons, ``action`` the responses, ``exemptions`` the exempt clients, and
``options`` the options of all policy filters. ``checks``, ``iprev``, ``dynamic_names`` and ``helo``
have the checks of filter-rdns and filter-fcrdns.
"""
