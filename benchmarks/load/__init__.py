"""Load test of the server without browsers, over its websocket: `make load`."""

from .newcomers import newcomers
from .pupils import pupils
from .rounds import users
from .uploads import uploads

__all__ = ["newcomers", "pupils", "uploads", "users"]
