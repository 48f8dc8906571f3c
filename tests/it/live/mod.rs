//! Live capture with real traffic: in network namespaces that the tests make, so that nothing else is on the wire. Needs root,
//! iproute2, tcpdump, openssl and curl.

mod files;
mod net;
mod run;
mod signals;
mod terminal;
mod write;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{capture, skip, skip_even_on_ci};
use net::*;

/// The same traffic through a packet socket, through libpcap and through tcpdump: the same flows, each packet once.
fn all_see_the_same(interface: &str, server: usize, addresses: [&str; 2]) {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder);
    let _plain = serve(&net, server, folder, "*:4433", &[]);
    let _mutual = serve(&net, server, folder, "*:4434", &["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"]);
    let _old = serve(&net, server, folder, "*:4435", &["-tls1_2"]);

    let mut tcpdump = net.inside(0, "tcpdump");
    tcpdump
        .args(["-i", interface, "-Z", "root", "--immediate-mode", "-U", "-s", "0", "-w", "tcpdump.pcap"])
        .current_dir(folder);
    let mut tcpdump = Running::start(&mut tcpdump, Stdio::null(), folder, "listening on");
    let kept = folder.join("kept.pcapng");
    let kept_name = kept.to_str().unwrap();
    let mut watchers =
        vec![watch(&net, 0, &["-i", interface, "--through", "socket", "-w", kept_name], folder, "socket")];
    let libpcap = has_libpcap();
    if libpcap {
        watchers.push(watch(&net, 0, &["-i", interface, "--through", "libpcap", "-f", "tcp"], folder, "libpcap"));
    } else {
        skip("libpcap is not installed: only the packet socket is tested");
    }

    for address in addresses {
        let at = |port: u16| format!("https://{address}:{port}/");
        call(&net, 0, folder, &at(4433), &["-k"]);
        call(&net, 0, folder, &at(4433), &[]);
        call(&net, 0, folder, &at(4434), &["-k"]);
        call(&net, 0, folder, &at(4434), &["-k", "--cert", "server.pem", "--key", "server.key"]);
        call(&net, 0, folder, &at(4435), &["-k"]);
        call(&net, 0, folder, &at(4435), &["-k", "--tlsv1.3"]);
        call(&net, 0, folder, &at(4436), &["-k"]);
    }
    // The last packets of the last connections.
    std::thread::sleep(Duration::from_millis(300));
    for w in &mut watchers {
        w.signal("INT");
        let status = w.wait();
        assert!(status.success(), "{status}: {}", w.said());
    }
    tcpdump.signal("INT");
    tcpdump.wait();

    let truth = file_flows(&folder.join("tcpdump.pcap"));
    assert_eq!(truth.len(), 14, "{truth:#?}");
    for cause in ["server-cert-unknown-ca", "client-cert-missing", "tcp-refused"] {
        assert!(truth.iter().any(|f| f.contains(cause)), "{cause}: {truth:#?}");
    }
    let same = |seen: BTreeSet<String>, by: &str| {
        assert!(seen == truth, "{by} saw {:#?}\nand not {:#?}", seen.difference(&truth), truth.difference(&seen));
    };
    same(live_flows(&folder.join("socket")), "the packet socket");
    same(file_flows(&kept), "whoever reads the kept packets");
    if libpcap {
        same(live_flows(&folder.join("libpcap")), "libpcap");
    }
}

#[test]
fn loopback_is_seen_as_tcpdump_sees_it() {
    if can_capture() {
        all_see_the_same("lo", 0, ["127.0.0.1", "[::1]"]);
    }
}

#[test]
fn a_pair_of_interfaces_is_seen_as_tcpdump_sees_it() {
    if can_capture() {
        all_see_the_same("near", 1, ["192.0.2.2", "[2001:db8::2]"]);
    }
}

#[test]
fn no_right_is_left_while_packets_are_read() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    for through in ["socket", "libpcap"] {
        let mut w = watch(&net, 0, &["-i", "any", "--through", through], folder.path(), "report");
        // After the sandbox was entered it says what still could be opened, if anything could.
        call(&net, 0, folder.path(), "https://127.0.0.1:4433/", &[]);
        let uids = files::nothing_is_left_to(w.child.id());
        assert!(uids.split_whitespace().all(|u| u != "0"), "{uids}");
        w.signal("TERM");
        assert!(w.wait().success());
        // What opens files, sockets and programs was tried from inside.
        let said = w.said();
        assert!(said.contains("tried from inside: a file, a socket, a program: all refused"), "{said}");
        let last = lines(&folder.path().join("report")).pop().unwrap();
        assert_eq!((&last["type"], &last["sources"][0]["format"]), (&json!("summary"), &json!("live")));
        assert_eq!(last["sources"][0]["complete"], true);
    }
}

#[test]
fn a_flow_is_told_while_it_is_open_and_when_it_ends() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _server = serve(net, 0, folder, "*:4433", &[]);
    let mut c = net.inside(0, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "-i", "lo"]);
    let mut w = Running::start(&mut c, Stdio::piped(), folder, BEGUN);
    let mut told =
        BufReader::new(w.child.stdout.take().unwrap()).lines().map(|l| serde_json::from_str(&l.unwrap()).unwrap());
    let mut client = net.inside(0, "openssl");
    client.args(["s_client", "-connect", "127.0.0.1:4433", "-quiet"]).stdin(Stdio::piped());
    let mut client = Running::start(&mut client, Stdio::null(), folder, "verify");
    let first: Value = told.next().unwrap();
    let what = |v: &Value| (v["outcome"].clone(), v["final"].clone());
    assert_eq!(what(&first), (json!("established"), json!(false)), "{first}");
    drop(client.child.stdin.take());
    let _ = client.child.kill();
    let second: Value = told.next().unwrap();
    assert_eq!(what(&second), (json!("established"), json!(true)), "{second}");
    assert_eq!(first["uid"], second["uid"]);
    w.signal("HUP");
    let last: Value = told.next().unwrap();
    assert_eq!((&last["flows"], &last["established"]), (&json!(1), &json!(1)), "each flow counts once");
    assert!(w.wait().success());
}

#[test]
fn what_ends_a_capture_is_said() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    for through in ["socket", "libpcap"] {
        must(&format!("ip -n {} link add gone type veth peer name gone2", net.names[0]));
        must(&format!("ip -n {} link set gone up", net.names[0]));
        let mut w = watch(net, 0, &["-i", "gone", "--through", through], folder, "report");
        must(&format!("ip -n {} link del gone", net.names[0]));
        assert_eq!(w.wait().code(), Some(3), "{}", w.said());
        assert!(w.said().contains("the capture on gone has ended"), "{}", w.said());
        let last = lines(&folder.join("report")).pop().unwrap();
        assert_eq!(last["sources"][0]["complete"], false);
    }
    // The disk is full.
    let mut w = watch(net, 0, &["-i", "lo", "-w", "/dev/full"], folder, "report");
    call(net, 0, folder, "https://127.0.0.1:4433/", &[]);
    assert_eq!(w.wait().code(), Some(3), "{}", w.said());
    assert!(w.said().contains("cannot write the packets to /dev/full"), "{}", w.said());
    // The reader of the pipe is gone.
    let mut c = net.inside(0, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "-i", "lo"]);
    let mut w = Running::start(&mut c, Stdio::piped(), folder, BEGUN);
    drop(w.child.stdout.take());
    call(net, 0, folder, "https://127.0.0.1:4433/", &[]);
    assert_eq!(w.wait().code(), Some(0), "{}", w.said());
}

/// An interface that is taken down and brought up again is one capture.
#[test]
fn an_interface_that_comes_back_is_captured_further() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    for through in ["socket", "libpcap"] {
        let mut w = watch(net, 0, &["-i", "near", "--through", through], folder, "report");
        for _ in 0..2 {
            must(&format!("ip -n {} link set near down", net.names[0]));
            // Longer than it waits for packets.
            std::thread::sleep(Duration::from_millis(300));
            must(&format!("ip -n {} link set near up", net.names[0]));
        }
        call(net, 0, folder, "https://192.0.2.2:4433/", &[]);
        std::thread::sleep(Duration::from_millis(200));
        w.signal("INT");
        assert_eq!(w.wait().code(), Some(0), "{through}: {}", w.said());
        let told = lines(&folder.join("report"));
        assert!(told.iter().any(|l| l["outcome"] == "failed" && l["cause"] == "tcp-refused"), "{through}: {told:?}");
        let source = &told.last().unwrap()["sources"][0];
        assert_eq!(source["complete"], true, "{source}");
        let problems = source["problems"].as_array().unwrap();
        let said = |p: &Value| p["message"].as_str().unwrap().contains("near went down while it was captured");
        assert_eq!(problems.iter().filter(|p| said(p)).count(), 1, "{through}: {source}");
    }
    must(&format!("ip -n {} link set near down", net.names[0]));
    for through in ["socket", "libpcap"] {
        let out = net.inside(0, PROGRAM).args(["live", "-i", "near", "--through", through]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("near: it is down; bring it up (ip link set near up)"), "{said}");
    }
}

#[test]
fn what_cannot_be_captured_is_said_with_its_exit_code() {
    if !can_capture() {
        return;
    }
    for (arguments, code, said) in [
        (&["-i", "lo", "-f", "tcp prot 443"][..], 2, "the filter is not understood: "),
        (&["-i", "lo", "-f", "tcp", "--through", "socket"], 3, "filters (-f) are those of libpcap: leave out"),
        (&["-i", "no-such-one"], 3, "there is no interface no-such-one; `tlscope interfaces` lists them"),
        (&["-i", "lo", "-w", "/nowhere/at-all"], 3, "cannot write the packets to /nowhere/at-all: No such file"),
    ] {
        if arguments.contains(&"-f") && !has_libpcap() {
            continue;
        }
        for command in [&["live", "-F", "json"][..], &["run"]] {
            let mut c = Command::new(PROGRAM);
            c.args(command).args(arguments);
            if command == ["run"] {
                c.args(["--", "true"]);
            }
            let out = c.env_remove("SSLKEYLOGFILE").output().unwrap();
            let err = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(code), "{err}");
            assert!(err.starts_with(&format!("tlscope: {said}")) && err.lines().count() == 1, "{err}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_a_wrong_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&[][..], "say what to capture: -i IFACE"),
        (&["eth0"], "an interface is given with -i eth0"),
        (&["-i", "lo", "-w", "-", "-o", "-"], "where the report goes"),
        (&["-i", "lo", "--buffer", "1"], "give a size from 64K to 2047M"),
        (&["-i", "lo", "--buffer", "999999G"], "give a size from 64K to 2047M"),
        (&["-i", "lo", "-w", "x", "--rotate-size", "1"], "give a size of at least 4K"),
        (&["-i", "lo", "-w", "x", "--rotate-size", "4K", "--rotate-keep", "0"], "0 is not in 1.."),
        (&["-i", "lo", "-w", "x", "--rotate-keep", "2"], "give one of them"),
    ] {
        let out = Command::new(PROGRAM).arg("live").args(arguments).current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{said}");
        assert!(fs::read_dir(&folder).unwrap().next().is_none(), "{arguments:?}");
    }
}

#[test]
fn missing_rights_are_said_with_what_to_do() {
    if !can_capture() {
        return;
    }
    for through in ["socket", "libpcap"] {
        let mut c = Command::new("setpriv");
        c.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", PROGRAM]);
        let out = c.args(["live", "-i", "lo", "--through", through]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        // The program may lie where nobody can start it.
        if said.contains("failed to execute") {
            return skip_even_on_ci("the program cannot be started by another user here");
        }
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("sudo setcap cap_net_raw=ep \"") && said.contains("tlscope\""), "{said}");
    }
}

#[test]
fn a_stream_is_reported_while_it_is_written() {
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-", "-F", "ndjson"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = c.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all(&fs::read(capture("guide/5-client-cert-missing-12")).unwrap()).unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    // The pipe is still open: the flow is told because its time has come, not because the input ended.
    let first: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["cause"], "client-cert-missing", "{first}");
    drop(to);
    let rest: Vec<Value> = told.map(|l| serde_json::from_str(&l.unwrap()).unwrap()).collect();
    assert_eq!(rest.last().unwrap()["type"], "summary");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_growing_file_is_followed_until_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.pcapng");
    let whole = fs::read(capture("guide/5-client-cert-missing-12")).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "--follow"]).arg(&path);
    let mut w = Running::start(&mut c, Stdio::piped(), folder.path(), BEGUN);
    File::options().append(true).open(&path).unwrap().write_all(&whole[whole.len() / 2..]).unwrap();
    let mut out = w.child.stdout.take().unwrap();
    let mut told = BufReader::new(out.by_ref()).lines();
    let first: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["cause"], "client-cert-missing", "{first}");
    w.signal("TERM");
    let last: Value = serde_json::from_str(&told.last().unwrap().unwrap()).unwrap();
    assert_eq!(last["sources"][0]["complete"], true, "{last}");
    assert!(w.wait().success());
}

#[test]
fn unsafe_code_stays_in_its_place() {
    let src = crate::support::root().join("src");
    let mut lines = 0;
    for path in crate::support::files(&src, "rs") {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap();
        let mut depth = 0usize;
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with("//")) {
            if depth == 0 && !line.contains("unsafe {") && !line.starts_with("unsafe impl") {
                continue;
            }
            assert!(name.starts_with("capture/live/sys/"), "{name}: {line}");
            lines += 1;
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
        }
    }
    assert!((20..200).contains(&lines), "{lines} lines of unsafe code");
}
