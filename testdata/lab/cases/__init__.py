"""All cases, by family. Those of `damaged` and `alerts` derive from captures of `good` and `guide`, so they come last."""
from . import alerts, client, damaged, dtls, good, guide, hello, server, transport

CASES = [*guide.CASES, *good.CASES, *transport.CASES, *server.CASES, *hello.CASES, *client.CASES, *dtls.CASES, *damaged.CASES,
         *alerts.CASES]
