"""All cases, by family. Those of `damaged`, `siblings` and `alerts` derive from captures of `good` and `guide`, so they come last."""
from . import alerts, client, damaged, dtls, good, guide, hello, server, siblings, transport

CASES = [*guide.CASES, *good.CASES, *transport.CASES, *server.CASES, *hello.CASES, *client.CASES, *dtls.CASES, *damaged.CASES,
         *siblings.CASES, *alerts.CASES]
