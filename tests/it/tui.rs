//! The UI in a real terminal (tmux): it starts, answers keys, and gives the terminal back whatever ends it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{capture, skip};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tmux server of its own with one window in which a shell runs.
pub struct Screen {
    socket: PathBuf,
    pub folder: tempfile::TempDir,
}

impl Screen {
    /// `None`, said loudly, where there is no tmux.
    pub fn start(width: u16, height: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            skip("tmux is not installed: nothing of the UI is tested in a real terminal");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let screen = Self { socket: folder.path().join("tmux"), folder };
        let size = [width.to_string(), height.to_string()];
        let started = screen.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "env PS1='ready$ ' ENV= LC_ALL=C.UTF-8 sh -i",
        ]);
        assert!(started.status.success(), "{started:?}");
        screen.wait("ready$");
        Some(screen)
    }

    pub fn tmux(&self, args: &[&str]) -> Output {
        Command::new("tmux").arg("-S").arg(&self.socket).args(args).env_remove("TMUX").output().unwrap()
    }

    pub fn keys(&self, keys: &[&str]) {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        assert!(self.tmux(&args).status.success());
    }

    /// Types a line into the shell.
    pub fn line(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status.success());
        self.keys(&["Enter"]);
    }

    pub fn shows(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until a text is on the screen; gives the screen.
    pub fn wait(&self, text: &str) -> String {
        self.wait_until(text, |s| s.contains(text))
    }

    pub fn wait_until(&self, what: &str, f: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.shows();
            if f(&now) {
                return now;
            }
            assert!(Instant::now() < end, "{what:?} did not come; the screen is\n{now}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits for the exit code.
    pub fn ended(&self, code: u8) -> String {
        self.wait_until("the end", |s| s.lines().any(|l| l.trim() == format!("ended={code}")))
    }

    /// Starts the program; its process id stands in a file, its exit code on the screen afterwards.
    pub fn run(&self, before: &str, arguments: &str) {
        let pid = self.pid_file();
        let program = env!("CARGO_BIN_EXE_tlscope");
        self.line(&format!(
            "{before}sh -c 'echo $$ > {}; exec {program} {arguments}'; echo \"ended=$?\"",
            pid.display()
        ));
    }

    pub fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    pub fn kill(&self, signal: &str) {
        assert!(Command::new("kill").args([&format!("-{signal}"), &self.pid()]).status().unwrap().success());
    }

    pub fn pid(&self) -> String {
        std::fs::read_to_string(self.pid_file()).unwrap().trim().to_owned()
    }

    /// The terminal is as it was: the shell's screen, lines, echo, no mouse.
    pub fn is_restored(&self) {
        let state = self.tmux(&["display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"]);
        assert_eq!(String::from_utf8_lossy(&state.stdout).trim(), "0 0 1");
        self.line("stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig'");
        self.wait_until("3 modes", |s| s.lines().any(|l| l.trim() == "3"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

pub fn missing() -> PathBuf {
    capture("guide/5-client-cert-missing-12")
}

pub fn shown(p: &Path) -> String {
    p.display().to_string()
}

#[test]
fn a_person_finds_out_why() {
    let Some(s) = Screen::start(120, 40) else { return };
    s.run("", &shown(&missing()));
    let list = s.wait("Why: flow 1");
    assert!(list.contains("client-cert-missing") && list.contains("1 failed"), "{list}");
    s.keys(&["Enter"]);
    let ladder = s.wait("CertificateRequest");
    assert!(ladder.contains("ClientHello") && ladder.contains("fatal alert"), "{ladder}");
    s.keys(&["Tab"]);
    s.keys(&["?"]);
    s.wait("next finding");
    s.keys(&["Escape"]);
    s.wait_until("the help closed", |t| !t.contains("next finding"));
    // Two at once would be one key with Alt.
    s.keys(&["Escape"]);
    std::thread::sleep(Duration::from_millis(100));
    s.keys(&["Escape"]);
    s.wait("Flows (1)");
    s.keys(&["/"]);
    s.wait("filter:");
    s.tmux(&["send-keys", "-l", "is:ok"]);
    s.wait("No flow passes");
    s.keys(&["Escape"]);
    s.wait("Why: flow 1");
    s.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    s.wait_until("80 columns", |t| t.lines().any(|l| l.starts_with('┌') && l.trim_end().chars().count() == 80));
    s.keys(&["q"]);
    s.ended(0);
    s.is_restored();
}

#[test]
fn a_person_looks_from_above_compares_and_saves() {
    let Some(s) = Screen::start(120, 40) else { return };
    s.run("", &shown(&capture("good/resumed-psk-13")));
    s.wait("Flows (2)");
    s.keys(&["2"]);
    s.wait("Servers (1)");
    s.keys(&["3"]);
    s.wait("Certificates (");
    s.keys(&["4"]);
    s.wait("Findings (");
    s.keys(&["2"]);
    s.wait("Servers (1)");
    s.keys(&["Enter"]);
    let narrowed = s.wait("Flows (2)");
    assert!(narrowed.contains("filter: server:"), "{narrowed}");
    s.keys(&["Space", "Down", "Space"]);
    s.wait("what differs");
    // Both are read again, from inside the sandbox.
    s.wait_until("the comparison", |t| t.contains("resumed") && t.contains("yes"));
    s.keys(&["Tab"]);
    s.wait("on one ladder");
    s.keys(&["Escape"]);
    s.wait("Why: flow");
    s.keys(&["Enter"]);
    s.wait("ServerHello");
    s.keys(&["t"]);
    s.wait("Δ previous");
    s.keys(&["w"]);
    s.wait("Write to a file");
    s.keys(&["Down", "Right", "Right", "Down", "Right", "Enter"]);
    s.wait("write to:");
    let file = s.folder.path().join("flow.json");
    s.keys(&["C-u"]);
    s.tmux(&["send-keys", "-l", &shown(&file)]);
    s.keys(&["Enter"]);
    s.wait("1 flow written to");
    let text = std::fs::read_to_string(&file).unwrap();
    let v: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(v["flows"].as_array().map(Vec::len), Some(1));
    assert!(!text.contains("198.51.100.20"), "it is redacted");
    s.keys(&["q"]);
    s.ended(0);
    s.is_restored();
}

#[test]
fn signals_give_the_terminal_back_and_print_the_report() {
    let Some(s) = Screen::start(100, 40) else { return };
    // A shell whose command dies of INT forgets the rest of the line.
    for (signal, code) in [("TERM", Some(143)), ("INT", None), ("HUP", Some(129)), ("QUIT", Some(131))] {
        s.run("", &shown(&missing()));
        s.wait("Why: flow 1");
        s.kill(signal);
        let report = match code {
            Some(code) => s.ended(code),
            None => s.wait("TCP connection\n"),
        };
        for part in ["✖ #1 failed: client-cert-missing", "Look at: the client", "1 flow: 0 established, 1 failed"] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert!(!report.contains("Why: flow 1"), "{report}");
        s.is_restored();
        s.line("clear");
        s.wait_until("a clear screen", |t| !t.contains("stty"));
    }
}

#[test]
fn it_can_be_suspended() {
    let Some(s) = Screen::start(100, 30) else { return };
    // Without a shell in between, so that job control reaches the program.
    s.line(&format!("{} {}", env!("CARGO_BIN_EXE_tlscope"), shown(&missing())));
    s.wait("Why: flow 1");
    s.keys(&["C-z"]);
    s.wait("Stopped");
    s.is_restored();
    s.line("fg");
    s.wait("Why: flow 1");
    s.keys(&["q"]);
    s.wait_until("the shell", |t| !t.contains("Why: flow 1"));
    s.is_restored();
}

#[test]
fn it_ends_when_the_terminal_goes_away() {
    // Even when nobody tells it: the second time HUP is ignored.
    for before in ["", "trap '' HUP; "] {
        let Some(s) = Screen::start(100, 30) else { return };
        s.run(before, &shown(&missing()));
        s.wait("Why: flow 1");
        let pid = s.pid();
        s.tmux(&["kill-server"]);
        let end = Instant::now() + Duration::from_secs(5);
        let is_alive = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap().success();
        while is_alive() {
            assert!(Instant::now() < end, "it still runs without a terminal, {before:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_before_the_screen_changes() {
    let Some(s) = Screen::start(100, 30) else { return };
    s.run("", "/nowhere/at-all.pcap");
    let t = s.ended(3);
    assert!(t.contains("cannot open /nowhere/at-all.pcap"), "{t}");
    s.is_restored();
}

#[test]
fn who_quits_leaves_nothing_behind() {
    let Some(s) = Screen::start(100, 30) else { return };
    s.run("", &shown(&missing()));
    s.wait("Why: flow 1");
    s.keys(&["q"]);
    let t = s.ended(0);
    assert!(!t.contains("Summary") && !t.contains("client-cert-missing ("), "{t}");
}
