"""Load test of the server without browsers, over its websocket: `make load`."""

from .footprint import footprint
from .hovering import hovering
from .newcomers import newcomers
from .pupils import pupils
from .rounds import users
from .uploads import uploads

__all__ = ["footprint", "hovering", "newcomers", "pupils", "uploads", "users"]
