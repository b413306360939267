"""Stand-ins for objects of the library of which a test needs a few attributes only."""

from unittest.mock import Mock


def stand_in(kind, **attributes):
    """An object that passes for one of a kind, and has these attributes."""
    made = Mock(spec=kind)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made
