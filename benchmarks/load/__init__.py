"""Load test of the server over its websocket, `make load`; only hovering is measured in a browser."""

from .footprint import footprint
from .hovering import hovering
from .newcomers import newcomers
from .pupils import pupils
from .rounds import users
from .uploads import uploads

__all__ = ["footprint", "hovering", "newcomers", "pupils", "uploads", "users"]
