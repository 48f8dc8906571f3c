//! The page in a real browser: what it shows, what it asks for, how it fits a telephone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::hostile::{self, TEXTS};
use crate::support::{golden, skip};

/// Shows the page in a frame of a width, measures it and writes what it found as text of its own.
const MEASURE: &str = r#"<!doctype html><meta charset="utf-8"><title>measure</title><link rel="icon" href="data:,">
<iframe src="/page" width="WIDTH" height="800" frameborder="0"></iframe><pre id="found"></pre>
<script>
  document.querySelector("iframe").onload = (e) => {
    const w = e.target.contentWindow, d = w.document;
    const all = (s) => Array.from(d.querySelectorAll(s));
    const box = (n) => n.getBoundingClientRect();
    document.getElementById("found").textContent = JSON.stringify({
      title: d.title,
      wide: d.documentElement.scrollWidth,
      requests: w.performance.getEntriesByType("resource").map((r) => r.name),
      active: all("script, img, iframe, object, embed, form, base, [onload], [onerror], [onclick], [style]").map((n) => n.outerHTML),
      links: all("[href], [src]").map((n) => n.getAttribute("href") || n.getAttribute("src")),
      ladders: all("details[open] svg.ladder").map((n) => ({
        label: n.getAttribute("aria-label"),
        width: box(n).width,
        arrows: n.querySelectorAll("g.arrow").length,
        beyond: Array.from(n.querySelectorAll("text")).filter((t) => box(t).right > box(n).right + 1 || box(t).left < box(n).left - 1)
          .map((t) => t.textContent),
      })),
      headers: all("table").map((t) => t.querySelectorAll("th[scope]").length),
      back: w.getComputedStyle(d.body).backgroundColor,
      text: d.body.innerText,
    });
  };
</script>"#;

/// What the browser found, or `None` where there is no browser.
struct Seen {
    found: Value,
    /// Paths that were asked for.
    asked: Vec<String>,
    /// What the browser had to complain of.
    console: Vec<String>,
}

fn look(page: &str, width: u32) -> Option<Seen> {
    let programs = ["chromium", "chromium-browser", "google-chrome"];
    let there =
        |p: &&&str| Command::new(p).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let Some(program) = programs.iter().find(there) else {
        skip("no Chromium: the page is not looked at in a browser");
        return None;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, asked) = mpsc::channel();
    let (page, measure) = (page.to_owned(), MEASURE.replace("WIDTH", &width.to_string()));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut line = String::new();
            let mut reader = BufReader::new(&stream);
            if reader.read_line(&mut line).is_err() || line.is_empty() {
                continue;
            }
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|n| n > 2) {
                header.clear();
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = match path.as_str() {
                "/" => ("200 OK", measure.as_str()),
                "/page" => ("200 OK", page.as_str()),
                _ => ("404 Not Found", ""),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            let _ = send.send(path);
        }
    });
    let home = tempfile::tempdir().unwrap();
    let out = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--enable-logging=stderr", "--timeout=30000", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .expect("the browser runs");
    let dom = String::from_utf8_lossy(&out.stdout);
    let err = String::from_utf8_lossy(&out.stderr);
    let console = err.lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned).collect();
    let found = dom.split("<pre id=\"found\">").nth(1).and_then(|t| t.split("</pre>").next()).unwrap_or_default();
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let found = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {dom}\n{err}"));
    thread::sleep(Duration::from_millis(50));
    Some(Seen { found, asked: asked.try_iter().collect(), console })
}

fn strings(v: &Value) -> Vec<&str> {
    v.as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect()
}

/// What holds of every page.
fn assert_sound(seen: &Seen) {
    let f = &seen.found;
    assert_eq!(seen.console, [""; 0], "the browser complains");
    assert_eq!(strings(&f["requests"]), [""; 0], "the page asks for something");
    assert!(seen.asked.iter().all(|p| p == "/" || p == "/page"), "{:?}", seen.asked);
    assert_eq!(strings(&f["active"]), [""; 0], "something that could act");
    for link in strings(&f["links"]) {
        assert!(link.starts_with('#') || link == "data:,", "{link}");
    }
    for headers in f["headers"].as_array().unwrap() {
        assert!(headers.as_u64() > Some(0), "a table without headers");
    }
}

#[test]
fn a_page_shows_why_a_flow_failed_and_fits_a_telephone() {
    let page = golden("guide/5-client-cert-missing-12").report.write("html");
    for width in [390, 1280] {
        let Some(seen) = look(&page, width) else { return };
        assert_sound(&seen);
        let f = &seen.found;
        assert!(f["wide"].as_u64() <= Some(width.into()), "{} px on a screen of {width}", f["wide"]);
        assert_eq!(f["title"], "1 of 1 connection failed");
        let ladder = &f["ladders"][0];
        assert!(ladder["width"].as_f64() > Some(300.0), "{ladder}");
        assert_eq!(strings(&ladder["beyond"]), [""; 0], "text beyond the ladder at {width} px");
        // SYN, SYN-ACK, eleven messages, what did not come, two FINs; as tshark lists them in the capture.
        assert!(ladder["arrows"].as_u64() >= Some(15), "{ladder}");
        let text = f["text"].as_str().unwrap();
        for part in [
            "client-cert-missing",
            "certain",
            "Look at: the client",
            "Evidence: frames 7, 9, 11",
            "CN=tls-server.local",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn texts_of_the_wire_do_nothing_in_a_browser() {
    let page = hostile::reported().write("html");
    let Some(seen) = look(&page, 390) else { return };
    assert_sound(&seen);
    let f = &seen.found;
    assert_eq!(f["title"], format!("{0} of {0} connections failed", TEXTS.len()));
    assert!(f["wide"].as_u64() <= Some(390), "{}", f["wide"]);
    assert_eq!(f["ladders"].as_array().unwrap().len(), TEXTS.len());
    // Spaces are folded by the browser.
    let text = f["text"].as_str().unwrap();
    for hostile in &TEXTS[..4] {
        assert!(text.contains(hostile), "{hostile}: {text}");
    }
}

#[test]
fn a_page_forbids_itself_what_it_does_not_need() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = golden("good/mtls-12").report.write("html");
    let style = page.split("<style>").nth(1).and_then(|s| s.split("</style>").next()).expect("a style");
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'");
    assert!(page.contains(&policy), "{policy}");
    assert!(!page.contains("http://") && !page.contains("https://"), "no address to ask");
    for words in ["prefers-color-scheme: dark", "@media print", "max-width: 40rem"] {
        assert!(style.contains(words), "{words}");
    }
}
