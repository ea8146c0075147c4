#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker's store on PostgreSQL over TLS: a real server on loopback, with certificates.

usage: kbs-postgres-tls.py HUSK-KBS HUSK
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ending
from kbs_broker import Broker, Client  # noqa: E402
from postgres_server import Postgres  # noqa: E402
import services  # noqa: E402

HBA = "local all all trust\nhostssl all all 127.0.0.1/32 %s\nhostnossl all all 127.0.0.1/32 %s\n"
folder = ending.folder("husk-pgtls-")
os.chmod(folder, 0o755)
postgres = None


def path(name):
    return os.path.join(folder, name)


def openssl(*args):
    subprocess.run(("openssl",) + args, cwd=folder, check=True, stderr=subprocess.DEVNULL)


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".crt")


def issue(ca, name, subject, alternative):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=" + subject, "-keyout", name + ".key", "-out", name + ".csr")
    with open(path(name + ".ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=" + alternative)
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key",
            "-CAcreateserial", "-days", "2", "-extfile", name + ".ext", "-out", name + ".crt")


def serve(certificate, hba="trust", plain="reject"):
    """The server with that certificate, and who may come how; NULL: without TLS."""
    postgres.stop(signal.SIGINT)
    data = os.path.join(postgres.dir, "data")
    with open(data + "/pg_hba.conf", "w", encoding="ascii") as f:
        f.write(HBA % (hba, plain))
    options = []
    if certificate:
        for source, target in ((certificate + ".crt", "server.crt"),
                               (certificate + ".key", "server.key"), ("ca.crt", "clients.crt")):
            shutil.copy(path(source), data + "/" + target)
            os.chmod(data + "/" + target, 0o600)
            if os.geteuid() == 0:
                shutil.chown(data + "/" + target, "postgres", "postgres")
        options = ["-c", "ssl=on", "-c", "ssl_cert_file=server.crt", "-c",
                   "ssl_key_file=server.key", "-c", "ssl_ca_file=clients.crt"]
    postgres.start(options)


def make_broker(lines, host="localhost"):
    broker = Broker(sys.argv[1], sys.argv[2], "auth_rate = 0\n")
    broker.edit(lambda t: "\n".join(
        line for line in t.split("\n") if not line.startswith("store = "))
        + '\n[storage_backend]\nstorage_type = "Postgres"\n'
        '[storage_backend.backends.postgres]\nhost = "%s"\nport = %d\ndb = "husk"\n'
        'username = "postgres"\nstatement_timeout_ms = 5000\nconnect_timeout_ms = 5000\n%s\n'
        % (host, postgres.port, lines))
    return broker


def verify_full(root="root.crt", more=""):
    return 'sslmode = "verify-full"\nsslrootcert = "%s"\n%s' % (path(root), more)


def refused(lines, *texts, host="localhost"):
    """The broker does not start, and says why."""
    broker = make_broker(lines, host)
    try:
        broker.start()
    except RuntimeError:
        pass
    else:
        raise AssertionError("it started: " + lines)
    finally:
        log = broker.log()
        broker.remove()
    for text in texts:
        assert text in log, (text, log)


def connections():
    """How the server sees the broker's connections: (TLS?, client's name)."""
    text = subprocess.run(
        postgres.become + [postgres.bin + "/psql", "-h", postgres.dir, "-p", str(postgres.port), "-U",
                           "postgres", "-d", "husk", "-Atc",
                           "SELECT s.ssl, coalesce(s.client_dn, '') FROM pg_stat_ssl s JOIN "
                           "pg_stat_activity a USING (pid) WHERE a.application_name = 'husk-kbs'"],
        check=True, capture_output=True, text=True, cwd="/").stdout
    return sorted({tuple(line.split("|")) for line in text.split()})


def put(broker, n):
    admin = Client(broker, admin=True)
    end = time.monotonic() + 40
    while time.monotonic() < end:
        status = admin.call("POST", "/kbs/v0/resource/a/b/n%d" % n, b"x")[0]
        if status != 503:
            assert status == 200, status
            return
        time.sleep(0.2)
    raise AssertionError("the store does not come back: " + broker.log())


def test_verify_full():
    serve("server")
    broker = make_broker(verify_full())
    broker.start()
    put(broker, 1)
    assert connections() == [("t", "")], connections()
    assert "kbs.insecure" not in broker.log(), broker.log()
    # Another connection, made by the confined process.
    serve("server")
    put(broker, 2)
    assert connections() == [("t", "")]
    # Another CA, by rename, as operators do it.
    shutil.copy(path("other.crt"), path("next"))
    os.replace(path("next"), path("root.crt"))
    serve("server2")
    put(broker, 3)
    # A server that shows the old certificate is another one now.
    serve("server")
    admin = Client(broker, admin=True)
    for _ in range(10):
        assert admin.call("POST", "/kbs/v0/resource/a/b/n4", b"x")[0] == 503
        time.sleep(0.2)
    assert "certificate verify failed" in broker.log(), broker.log()
    assert connections() == []
    shutil.copy(path("ca.crt"), path("next"))
    os.replace(path("next"), path("root.crt"))
    put(broker, 5)
    broker.remove()


def test_refused():
    serve("server")
    refused(verify_full("other.crt"), "certificate verify failed")
    refused(verify_full("absent.crt"), "absent.crt")
    # A name that is not the certificate's.
    refused(verify_full(), "does not match host name", host="127.0.0.1")
    serve("elsewhere")
    refused(verify_full(), "does not match host name")
    # No TLS there, and no falling back to that.
    serve(None, plain="trust")
    refused(verify_full(), "SSL")
    refused("", "sslmode", host="db.example")
    refused('sslmode = "verify-full"\n', "sslrootcert")
    refused('sslmode = "verify"\n', "sslmode")


def test_client_certificate():
    serve("server", "cert")
    refused(verify_full(), "certificate")
    keys = 'sslcert = "%s"\nsslkey = "%s"\n'
    refused(verify_full(more=keys % (path("stranger.crt"), path("stranger.key"))), "")
    broker = make_broker(verify_full(more=keys % (path("client.crt"), path("client.key"))))
    broker.start()
    put(broker, 6)
    assert connections() == [("t", "/CN=postgres")], connections()
    # Again, confined, and with a key that was replaced meanwhile.
    for end in (".crt", ".key"):
        shutil.copy(path("client2" + end), path("next"))
        os.chmod(path("next"), 0o600)
        os.replace(path("next"), path("client" + end))
    serve("server", "cert")
    put(broker, 7)
    assert connections() == [("t", "/CN=postgres")]
    broker.remove()


def test_weak_modes_warn():
    serve("server", plain="trust")
    for mode, seen in (("require", "t"), ("disable", "f")):
        broker = make_broker('sslmode = "%s"\n' % mode)
        broker.start()
        put(broker, 8)
        assert connections() == [(seen, "")], connections()
        log = broker.log()
        assert "kbs.insecure" in log and "option=sslmode" in log, log
        broker.remove()


def main():
    global postgres
    for name in ("ca", "other"):
        make_ca(name)
    shutil.copy(path("ca.crt"), path("root.crt"))
    issue("ca", "server", "db", "DNS:localhost")
    issue("other", "server2", "db", "DNS:localhost")
    issue("ca", "elsewhere", "localhost", "DNS:elsewhere.example")
    for name, ca in (("client", "ca"), ("client2", "ca"), ("stranger", "other")):
        issue(ca, name, "postgres", "DNS:client")
    postgres = Postgres()
    try:
        return services.run([v for k, v in globals().items() if k.startswith("test_")])
    finally:
        postgres.remove()
        shutil.rmtree(folder)


sys.exit(main())
