"""`python -m vitviz.cli` is the command `vitviz`."""

from .app import app

if __name__ == "__main__":
    app(prog_name="vitviz")
