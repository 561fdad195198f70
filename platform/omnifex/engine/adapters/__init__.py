"""Adapters: changes of a component that one job wants and another does not.

The component is in memory once for both: before a call its adapters are switched on, and all others
off. A module with nothing switched on does what the plain one does, to the bit.
"""
