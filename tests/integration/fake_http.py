# SPDX-License-Identifier: Apache-2.0
"""HTTP servers on loopback that play what the broker asks: a certificate for them, and the server."""
import http.server
import json
import ssl
import subprocess
import sys
import threading


class Identity:
    """A certificate for localhost in @folder, which is also what clients trust."""

    def __init__(self, folder, name="localhost"):
        self.cert, key = "%s/%s.crt" % (folder, name), "%s/%s.key" % (folder, name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", self.cert,
                        "-days", "2", "-subj", "/CN=" + name, "-addext",
                        "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that hang up or do not trust us are what is tested; the rest is a fake's fault."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Fake:
    """Answers with what `serve` gives: (status, JSON or bytes or None[, headers])."""

    def __init__(self, identity=None, port=0):
        self.mode = "good"
        self.hangs_up = False  # after each answer, without a word
        self.requests = []  # (method, path, headers, body)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if outer.mode == "gone":
                    self.close_connection = True
                    return
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                status, answer, *more = outer.misbehave() or outer.serve(
                    self.command, self.path, self.headers, body)
                data = b"" if answer is None else answer
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                    self.close_connection = self.close_connection or outer.hangs_up
                except OSError:  # it was too much for the client
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        self.server = Server(("127.0.0.1", port), Handler)
        if identity:
            self.server.socket = identity.context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.origin = "https://localhost" if identity else "http://127.0.0.1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path=""):
        return "%s:%d%s" % (self.origin, self.port, path)

    def misbehave(self):
        """What is served instead in some modes, or None."""
        return None

    def serve(self, method, path, headers, body):
        raise NotImplementedError

    def close(self):
        self.mode = "gone"  # for connections that are open
        self.server.shutdown()
        self.server.server_close()
