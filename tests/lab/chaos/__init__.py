"""``make chaos``: a real smtpd under steady load while everything around our plugins goes wrong.

``python -m lab chaos`` runs five parts, and ``--only`` one of them: ``faults`` (a table of what
became of the mail is printed at the end, and ``--page`` writes it into RESULTS.md here),
``writers``, ``lookups`` (from servers that are paused and killed meanwhile), ``fuzz``, and
``hostile`` (a million sessions through each filter and table, under the model of smtpd).
"""
