"""A case: what to run, what must come of it, and how both are written down."""
import copy
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

from . import relay, wire

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVER_READY = 10.0  # seconds a server may take until it accepts
CLIENT_LIMIT = 20.0  # seconds a client may take


@dataclass
class Case:
    """One capture: `server` and `client` are commands in which {server} and {port} stand for the ports of server and relay."""
    name: str
    title: str
    server: list | None
    client: list | list[list] | None
    expect: dict
    guide: int | str | None = None
    mss: int = 1460
    ip6: bool = False
    udp: bool = False
    drop: callable = None  # of UDP: (side, number of its datagram) -> lost?
    sport: int = 8443
    isn: tuple | None = None
    start: int = wire.START_NS
    stdin: str = ""
    ready: str = "ACCEPT"
    suffix: str = "pcapng"
    write: callable = wire.pcapng
    note: str = ""
    programs: tuple = ()  # behind `sh`: looked for before, named in the description
    each: list = field(default_factory=list)
    ends: list = field(default_factory=list)  # of each connection: {"client": ADDRESS, "server": ADDRESS} where not the usual ones
    build: callable = None  # instead of peers: returns (packets, how) or (bytes, frames, how)


def shown(command):
    """The command as a person would type it: the port of the lab instead of this run's, `python3` instead of a path."""
    words = [word.replace("{server}", "8443").replace("{port}", "8443") for word in command]
    words = ["python3" if word == sys.executable else word for word in words]
    words = [re.sub(r"^.*/testdata/", "testdata/", word) for word in words]
    return shlex.join(words)


def start_server(case, folder, port):
    """Starts the server and waits until it says that it is ready. Returns the process and its growing output file."""
    log = tempfile.NamedTemporaryFile(dir=folder, suffix=".log", delete=False)
    command = [word.replace("{server}", str(port)) for word in case.server]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=ENV,
                               start_new_session=True)
    limit = time.monotonic() + SERVER_READY
    while case.ready.encode() not in open(log.name, "rb").read():
        if process.poll() is not None or time.monotonic() > limit:
            raise SystemExit(f"{case.name}: server did not start: {open(log.name).read()}")
        time.sleep(0.01)
    return process, log.name


# No OpenSSL configuration of the machine, no proxies, one language.
ENV = {"PATH": os.environ["PATH"], "OPENSSL_CONF": "/dev/null", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
       "PYTHONDONTWRITEBYTECODE": "1"}


def record(case, folder):
    """Runs the peers through the relay. Returns (packets, what the programs printed)."""
    port = relay.free_port()
    process, log = start_server(case, folder, port) if case.server else (None, None)
    if case.udp:
        between = relay.DatagramRelay(port, case.ip6, case.sport, case.start, case.drop)
    else:
        between = relay.Relay(case.name, port, case.mss, case.ip6, case.sport, case.isn, case.start, case.ends)
    commands = case.client if isinstance(case.client[0], list) else [case.client]
    said = ""
    for command in commands:
        command = [word.replace("{port}", str(between.port)) for word in command]
        try:
            done = subprocess.run(command, cwd=folder, input=case.stdin.encode(), capture_output=True, env=ENV,
                                  timeout=CLIENT_LIMIT, check=False)
        except subprocess.TimeoutExpired as late:
            raise SystemExit(f"{case.name}: client still runs: {late.stdout} {late.stderr}") from late
        said += (done.stdout + done.stderr).decode(errors="replace")
    packets = between.finish()
    if not case.udp and len(between.conversations) != case.expect.get("flows", 1):
        raise SystemExit(f"{case.name}: {len(between.conversations)} connections; the programs printed:\n{said}")
    if process:
        # The server may still be about to say what it thinks of the connection.
        wanted = [word for one in [case.expect, *case.each] for word in one.get("words", [])]
        limit = time.monotonic() + 1
        while time.monotonic() < limit:
            heard = said + open(log, "rb").read().decode(errors="replace")
            if all(any(either in heard for either in word.split("|")) for word in wanted):
                break
            time.sleep(0.02)
        process.stdin.close()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        said += open(log, "rb").read().decode(errors="replace")
    return packets, said


def versions(case):
    """The peers of a case with their versions, for people who want to reproduce it."""
    programs = {version_of(program): None for program in case.programs}
    commands = [case.server] if case.server else []
    if case.client:
        commands += case.client if isinstance(case.client[0], list) else [case.client]
    for command in commands:
        program = "openssl" if command[0] == "sh" else os.path.basename(command[0])
        if command[0] != "sh" or not case.programs:
            programs[version_of(program)] = None
    return list(programs)


def version_of(program, known={}):
    """`OpenSSL 3.0.19`, `curl 7.88.1`, … of a program in the PATH."""
    if program not in known:
        if program.startswith("python"):
            import ssl
            known[program] = f"Python {sys.version.split()[0]} with {' '.join(ssl.OPENSSL_VERSION.split()[:2])}"
        else:
            flag = {"openssl": "version", "java": "-version", "nginx": "-v"}.get(program, "--version")
            out = subprocess.run([program, flag], capture_output=True, text=True, check=False)
            words = (out.stdout + out.stderr).split("\n")[0].split()
            known[program] = {"openssl": " ".join(words[:2]), "curl": " ".join(words[:2])}.get(program, " ".join(words[:3]))
            if program in ("selfserv", "tstclnt"):
                known[program] = f"NSS, {program}"  # which does not tell its version
            if program == "nginx":
                known[program] = f"nginx {words[-1].removeprefix('nginx/')}"
            if program == "node":
                known[program] = f"Node.js {words[0]}"
    return known[program]


# --- TOML ---

def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str) and '"' in value and "'''" not in value and "\n" not in value and not value.endswith("''"):
        return f"'''{value}'''"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"


def toml(case, how, frames):
    top = {"title": case.title, "note": case.note or None, "how": how, "peers": versions(case) or None,
           "guide": case.guide, "frames": frames or None}
    lines = []
    for key, value in top.items():
        if value is not None:
            if key == "how" and len(value) > 1:
                lines.append("how = [\n" + "".join(f"  {toml_value(item)},\n" for item in value) + "]")
            else:
                lines.append(f"{key} = {toml_value(value)}")
    lines += ["", "[expect]"] + [f"{key} = {toml_value(value)}" for key, value in case.expect.items()]
    for one in case.each:
        lines += ["", "[[expect.each]]"] + [f"{key} = {toml_value(value)}" for key, value in one.items()]
    return "\n".join(lines) + "\n"


def make(case, folder):
    """Makes one capture and its description. Fails when the programs did not print the words that the case expects."""
    path = os.path.join(HERE, case.name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if case.build:
        packets, how = case.build()
        data, frames = packets if isinstance(packets, tuple) else (case.write(packets), len(packets))
    else:
        packets, said = record(case, folder)
        if os.environ.get("LAB_TALK"):
            print(said)
        case.expect, case.each = copy.deepcopy(case.expect), copy.deepcopy(case.each)
        for one in [case.expect, *case.each]:
            for at, word in enumerate(one.get("words", [])):
                found = [either for either in word.split("|") if either in said]
                if not found:
                    raise SystemExit(f"{case.name}: nobody printed {word!r}; they printed:\n{said}")
                one["words"][at] = found[0]
        how = [shown(command) for command in [case.server] if command]
        how += [shown(command) for command in (case.client if isinstance(case.client[0], list) else [case.client])]
        data, frames = case.write(packets), len(packets)
    with open(f"{path}.{case.suffix}", "wb") as out:
        out.write(data)
    with open(f"{path}.toml", "w", encoding="utf-8") as out:
        out.write(toml(case, how, frames))
    print(f"{case.name}.{case.suffix}: {frames} frames, {len(data)} bytes")


# --- words that many cases share ---

def s_server(*options, cert="server", chain=True, serve=True):
    """`openssl s_server` of the lab; with -WWW it answers one HTTP request with a file and closes."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:{server}", "-cert", f"{cert}.pem", "-key", f"{cert}.key"]
    command += ["-cert_chain", "intermediate.pem"] if chain else []
    return command + (["-WWW"] if serve else []) + list(options)


MUTUAL = ["-Verify", "10", "-verify_return_error", "-CAfile", "client-ca.pem"]


def curl(*options, host="tls-server.local", root="root", scheme="https"):
    """curl as the client; the name goes to the relay whatever it is."""
    trust = ["--cacert", f"{root}.pem"] if root else []
    return ["curl", "--silent", "--show-error", "--max-time", "10", "--connect-to", f"{host}:8443:127.0.0.1:{{port}}", *trust,
            *options, f"{scheme}://{host}:8443/hello.txt"]


def client_cert(name="client"):
    return ["--cert", f"{name}.pem", "--key", f"{name}.key"]


def s_client(*options, root="root"):
    trust = ["-CAfile", f"{root}.pem"] if root else []
    return ["openssl", "s_client", "-connect", "127.0.0.1:{port}", "-servername", "tls-server.local", *trust, *options]


def s_client_typed(typed, *options):
    """s_client with somebody at the keyboard: `typed` is a shell command that prints the lines, with its pauses."""
    return ["sh", "-c", f"({typed}) | {' '.join(s_client(*options))} 2>&1"]


def gnutls(version, root="root", *options, priority=""):
    """gnutls-cli of the lab; `priority` is added to its priority string."""
    return ["gnutls-cli", "--port", "{port}", "--sni-hostname", "tls-server.local", "--verify-hostname", "tls-server.local",
            "--x509cafile", f"{root}.pem", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}{priority}", *options, "127.0.0.1"]


PEER = os.path.join(HERE, "lab", "peer.py")


def peer(role, *options, port="{port}"):
    """A peer of lab/peer.py; as a server with port="{server}"."""
    return [sys.executable, PEER, role, port, *options]
