"""Connections of sessions. Work for a tab that was closed ends."""

from streamlit import runtime
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx


def is_connected(session: str) -> bool:
    """Return True if the tab of a session, given by its id, is open and connected."""
    return runtime.exists() and runtime.get_instance().is_active_session(session)


def stop_if_closed() -> None:
    """Stop the page run of this thread if its tab was closed. Outside of page runs, this does nothing.

    Streamlit stops a run only when it draws an element. Long computations call this function in between.

    Raises:
        StopException: to stop the run; it is not an `Exception`, and Streamlit handles it.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None and runtime.exists() and not is_connected(context.session_id):
        raise StopException
