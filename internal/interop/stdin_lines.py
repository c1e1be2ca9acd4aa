"""How each server in Python here is run: as stdin.mjs says of those on Node.js."""

import json
import os
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from socketserver import ThreadingMixIn


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"  # wsgiref closes after each answer

    def log_message(self, *args):
        pass


def settings():
    return json.loads(sys.stdin.readline())


def serve(app, paths, end=lambda: None):
    """Serves app on a free port of the loopback interface until stdin ends, and says where its paths are; then end."""
    server = make_server("127.0.0.1", 0, app, server_class=Server, handler_class=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    print(json.dumps({name: origin + path for name, path in paths.items()}), flush=True)
    sys.stdin.read()
    end()
    os._exit(0)
