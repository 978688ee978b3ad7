"""What ends the demo."""


class DemoError(Exception):
    """The demo cannot go on, or has found something wrong."""
