#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that lies: passes requests on to an honest one and changes what comes back.

usage: liar.py PORT HONEST_PORT MODE_FILE

MODE_FILE holds "MODE PART", read at every request: a lie is told about paths that hold PART only.
Ends when its standard input does.
"""
import http.client
import http.server
import sys
import threading

PORT, HONEST, MODE_FILE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def upstream(self):
        size = int(self.headers.get("Content-Length") or 0)
        c = http.client.HTTPConnection("127.0.0.1", HONEST)
        keep = {k: v for k, v in self.headers.items() if k.lower() not in ("connection",)}
        c.request(self.command, self.path, self.rfile.read(size) if size else None, keep)
        answer = c.getresponse()
        return answer, answer.read()

    def reply(self):
        with open(MODE_FILE, encoding="ascii") as f:
            mode, part = f.read().split()
        answer, body = self.upstream()
        lie = mode if part in self.path and self.command == "GET" and answer.status in (200, 206) else ""
        if lie == "append":
            body += b" "
        elif lie == "flip":
            body = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
        elif lie == "cut":
            body = body[:-10]
        elif lie == "empty":
            body = b""
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(key, value)
        if lie == "endless":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
            while True:
                self.wfile.write(chunk)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            # Half of it, then silence and the end: the rest is missing, the length was right.
            self.wfile.write(body[:len(body) // 2] if lie == "break" else body)
        if lie == "break":
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = reply


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what is tested


server = Server(("127.0.0.1", PORT), Liar)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
