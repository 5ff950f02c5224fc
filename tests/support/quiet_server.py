"""The base class of the tests' servers."""

import sys
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """A server that prints no error when a client hangs up."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Prints errors, except for connections that the client ended."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
