"""Policy filters: they check clients, respond to the findings, and exempt some clients.

``screen`` has their base class, ``verdict`` the verdict and its reasons, ``reason_field`` the
header fields with the reasons, ``response`` the actions, ``client`` the client, ``exempt`` the
exemptions, and ``options`` the options of all policy filters. ``checks``, ``lookup``, ``dynamic``
and ``helo`` have the checks of filter-rdns and filter-fcrdns.
"""
