"""Stand-in for Streamlit's session state."""


class SessionState(dict):
    """Session state, whose items are also attributes."""

    __setattr__ = dict.__setitem__

    def __repr__(self) -> str:
        return f"SessionState of {', '.join(map(str, self))}"  # it can hold whole images and traces

    def __getattr__(self, name: str) -> object:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error
