"""What the tests' own servers share."""

import sys
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """A server to which a client that hangs up is no news."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Prints what went wrong, but for connections that the other side ended."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
