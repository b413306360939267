"""Stand-ins for objects of the library of which a test needs only a few attributes."""

from unittest.mock import Mock


def stand_in(kind, **attributes):
    """Create an object that passes as an instance of a class and has these attributes."""
    made = Mock(spec=kind)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made
