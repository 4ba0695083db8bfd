"""Rows that a server looks up: by socketmap, as Postfix and Sendmail speak it, or by plain lines.

``codec`` has the two forms on the wire and ``reply`` the meaning of what comes back, both without
I/O; ``connection`` asks, ``config`` says whom and for which map.
"""
