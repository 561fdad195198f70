"""Imported by the process that others are forked from, before anything else.

A whole group may be told to stop; this process ends when its supervisor has.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
