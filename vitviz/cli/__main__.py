"""Entry point of `python -m vitviz.cli`, the same as the command `vitviz`."""

from .app import app

if __name__ == "__main__":
    app(prog_name="vitviz")
