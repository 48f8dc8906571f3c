//! The whole screen without a terminal: a capture, keys and a size in, a picture out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::{App, Effect, Pane};
use super::input::Input;
use super::row::{Row, Shared};
use super::saver;
use super::theme::Theme;
use super::worker::{End, News, Progress};
use crate::analyzer::{Analyzer, Options, detail};
use crate::capture::{self, Source};
use crate::span::{FrameNo, Timestamp};

mod saving;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The state after the captures were loaded one behind the other, as if they were one.
fn loaded(names: &[&str], size: (u16, u16)) -> App {
    let mut app = App::new(
        names.first().map_or_else(String::new, |n| (*n).to_owned()),
        Theme { color: true, unicode: true },
        size,
    );
    let mut shared = Shared::default();
    for (n, name) in names.iter().enumerate() {
        let mut file = capture::open(&testdata(name)).unwrap();
        let mut analyzer = Analyzer::new(Options::default());
        analyzer.begin_source();
        while let Some(f) = file.next_frame().unwrap() {
            analyzer.push(&f);
        }
        let (decoded, connections) = analyzer.counts();
        analyzer.end_source(file.info());
        let mut rows: Vec<Row> = analyzer.take_flows().iter().map(|f| Row::new(f, &mut shared)).collect();
        if names.len() > 1 {
            // Dates of recording and ports differ from run to run of the lab only; ids must not clash.
            rows.iter_mut().for_each(|r| r.id += n as u64);
        }
        let (bytes, total) = file.progress();
        let frames = file.info().frames;
        let p = Progress { bytes, total, frames, decoded, connections, elapsed: Duration::from_secs(1), live: None };
        app.news(News::Rows(rows, p));
        if n + 1 == names.len() {
            let mut end = End { info: file.info().clone(), ..End::default() };
            end.skipped = analyzer
                .sources()
                .last()
                .map(|s| s.skipped.iter().map(|(k, v)| (*k, *v)).collect())
                .unwrap_or_default();
            app.news(News::Loaded(Box::new(end)));
        }
    }
    app
}

/// Does what the threads would do.
fn answer(app: &mut App, name: &str) {
    let asked: Vec<u64> =
        app.effects.iter().filter_map(|e| if let Effect::Open(id) = e { Some(*id) } else { None }).collect();
    let pairs: Vec<(u64, u64)> =
        app.effects.iter().filter_map(|e| if let Effect::Compare(a, b) = e { Some((*a, *b)) } else { None }).collect();
    app.effects.retain(|e| !matches!(e, Effect::Open(_) | Effect::Forget | Effect::Compare(..)));
    for (a, b) in pairs {
        let read = |id| {
            let which = app.flow_ref(id).ok_or("no such flow")?;
            // Several captures are shown as one: the flow is in the one that has it.
            let all = MANY.iter().copied().chain([name]);
            let found = all.map(|n| detail(&mut capture::open(&testdata(n)).unwrap(), &which, &Options::default()));
            found.filter_map(Result::ok).find(|d| d.report.facts.first.time == row_time(app, id)).ok_or("gone")
        };
        let both = read(a).and_then(|first| Ok(Box::new((first, read(b)?)))).map_err(str::to_owned);
        app.news(News::Compared(a, b, both));
    }
    for id in asked {
        // Closed again before it was read.
        let Some(which) = app.wanted(id) else { continue };
        let mut file = capture::open(&testdata(name)).unwrap();
        let found = detail(&mut file, &which, &Options::default()).map(Box::new).map_err(|e| e.to_string());
        app.news(News::Opened(id, found));
    }
}

fn row_time(app: &App, id: u64) -> Timestamp {
    app.list.rows.iter().find(|r| r.id == id).map_or(Timestamp(0), |r| r.time)
}

fn key(code: KeyCode) -> Event {
    let shift = matches!(code, KeyCode::Char(c) if c.is_ascii_uppercase());
    Event::Key(KeyEvent::new(code, if shift { KeyModifiers::SHIFT } else { KeyModifiers::NONE }))
}

/// Types a script: characters, and `<enter>`, `<esc>`, `<tab>`, `<down>` … for keys without one.
fn script(app: &mut App, name: &str, keys: &str) {
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let (code, used) = match rest.find('>').filter(|_| c == '<') {
            Some(end) => {
                let code = match &rest[1..end] {
                    "enter" => KeyCode::Enter,
                    "esc" => KeyCode::Esc,
                    "tab" => KeyCode::Tab,
                    "backtab" => KeyCode::BackTab,
                    "down" => KeyCode::Down,
                    "up" => KeyCode::Up,
                    "left" => KeyCode::Left,
                    "right" => KeyCode::Right,
                    "pgdn" => KeyCode::PageDown,
                    other => panic!("{other}"),
                };
                (code, end + 1)
            }
            None => (KeyCode::Char(c), c.len_utf8()),
        };
        app.event(key(code));
        answer(app, name);
        rest = &rest[used..];
    }
}

fn picture(app: &App) -> String {
    let mut term = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    term.draw(|f| {
        if let Some(at) = app.draw(f.buffer_mut()) {
            f.set_cursor_position(at);
        }
    })
    .unwrap();
    let b = term.backend().buffer().clone();
    let line = |y: u16| (0..b.area.width).map(|x| b[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..b.area.height).map(line).collect::<Vec<_>>().join("\n")
}

fn shot(name: &str, capture: &str, keys: &str) {
    for size in [SMALL, LARGE] {
        let mut app = loaded(&[capture], size);
        script(&mut app, capture, keys);
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), picture(&app));
    }
}

const MISSING: &str = "guide/5-client-cert-missing-12.pcapng";
const MUTUAL: &str = "good/mtls-12.pcapng";

#[test]
fn the_list_and_why() {
    shot("flows", MISSING, "");
    shot("why", MISSING, "<tab>");
    shot("flows-mutual", MUTUAL, "");
}

#[test]
fn one_flow() {
    shot("ladder", MISSING, "<enter>");
    shot("ladder-mutual", MUTUAL, "<enter>");
    shot("ladder-13", "guide/5-client-cert-missing-13.pcapng", "<enter>");
    shot("fields", MUTUAL, "<enter><tab>jj");
    shot("certificate", MUTUAL, "<enter>jj<tab>/leaf<enter>");
    shot("bytes", MUTUAL, "<enter><tab>jjjjj<tab>");
}

/// Several flows of one kind and another: servers, certificates, findings.
const MANY: &[&str] = &[
    MISSING,
    MUTUAL,
    "good/mtls-13.pcapng",
    "guide/2-unknown-ca-12.pcapng",
    "guide/1-version-client-12-server-13.pcapng",
    "guide/5-client-cert-missing-13.pcapng",
];

#[test]
fn views_above_the_flows() {
    for (name, keys) in [("servers", "2"), ("certificates", "3"), ("findings", "4"), ("findings-narrowed", "4j<enter>")]
    {
        for size in [SMALL, LARGE] {
            let mut app = loaded(MANY, size);
            script(&mut app, MISSING, keys);
            insta::assert_snapshot!(format!("view-{name}-{}x{}", size.0, size.1), picture(&app));
        }
    }
}

#[test]
fn a_group_leads_to_its_flows_and_back() {
    let mut app = loaded(MANY, LARGE);
    script(&mut app, MISSING, "/!is:ok<enter>4");
    let g = app.group().unwrap();
    let (flows, key) = (g.flows as usize, g.key.clone());
    // What a group counts is what its filter lets through.
    for pos in 0..app.groups.as_ref().unwrap().len() {
        let g = app.groups.as_ref().unwrap().at(pos).unwrap();
        let filter = super::filter::Filter::parse(&g.filter()).unwrap();
        let mut scratch = super::filter::Scratch::default();
        let passing = app.list.view.iter().filter(|i| filter.matches(&app.list.rows[**i as usize], &mut scratch));
        assert_eq!(passing.count(), g.flows as usize, "{:?}", g.key);
    }
    script(&mut app, MISSING, "<enter>");
    assert!(app.groups.is_none());
    assert_eq!(app.list.view.len(), flows);
    script(&mut app, MISSING, "<esc>");
    assert_eq!(app.group().unwrap().key, key);
    assert_eq!(app.list.input.value(), "!is:ok");
    // The views follow the filter: without it the server has more flows.
    script(&mut app, MISSING, "2");
    let before = app.group().unwrap().flows;
    script(&mut app, MISSING, "<esc>");
    assert!(app.group().unwrap().flows > before);
    script(&mut app, MISSING, "<esc>");
    assert!(app.groups.is_none());
}

#[test]
fn a_connection_seen_twice_is_told() {
    let mut app = loaded(&[MUTUAL], LARGE);
    let mut copy = app.list.rows[0].clone();
    copy.id = 2;
    // The client's side of a NAT.
    copy.ends.a.ip = [10, 0, 0, 7].into();
    copy.time = Timestamp(copy.time.0 + 300_000);
    let mut later = copy.clone();
    later.id = 3;
    later.ends.a.port = 1;
    later.time = Timestamp(copy.time.0 + 60_000_000_000);
    app.news(News::Rows(vec![copy, later], Progress::default()));
    assert_eq!(app.list.twin(app.list.cursor).map(|r| r.id), Some(2));
    assert!(picture(&app).contains("The same connection as flow 2"));
    // A client that uses its random again a minute later is another connection.
    script(&mut app, MUTUAL, "jj");
    assert_eq!(app.list.selected().unwrap().id, 3);
    assert!(app.list.twin(app.list.cursor).is_none());
}

#[test]
fn two_flows_are_compared() {
    for (name, keys) in [("fields", "="), ("all", "=<enter>"), ("ladder", "=<tab>")] {
        for size in [SMALL, LARGE] {
            let mut app = loaded(MANY, size);
            script(&mut app, MISSING, keys);
            insta::assert_snapshot!(format!("compare-{name}-{}x{}", size.0, size.1), picture(&app));
        }
    }
}

#[test]
fn the_second_mark_compares() {
    let mut app = loaded(MANY, LARGE);
    script(&mut app, MISSING, "j jj ");
    assert_eq!(app.marked, [app.list.rows[1].id, app.list.rows[3].id]);
    let p = picture(&app);
    assert!(p.contains("what differs") && p.contains("server-cert-unknown-ca"), "{p}");
    script(&mut app, MISSING, "<esc> ");
    assert_eq!(app.marked, [app.list.rows[1].id], "the same key takes the mark away");
    // With nothing marked and nothing to compare with, it is said what to do.
    let mut app = loaded(&[MISSING], LARGE);
    script(&mut app, MISSING, "=");
    assert!(app.popups.is_empty() && picture(&app).contains("mark two flows"));
}

#[test]
fn what_should_have_come_is_drawn() {
    shot("ghosts-12", "guide/2-unknown-ca-12.pcapng", "<enter>");
    shot("ghosts-hello", "guide/1-version-client-12-server-13.pcapng", "<enter>");
    // Nothing is missing from a handshake that worked.
    let mut app = loaded(&[MUTUAL], LARGE);
    script(&mut app, MUTUAL, "<enter>");
    assert!(!picture(&app).contains("expected, not seen"));
}

#[test]
fn times_are_counted_from_where_one_wants() {
    shot("times-previous", MUTUAL, "<enter>t");
    shot("times-of-day", MUTUAL, "<enter>tt");
    shot("times-mark", MUTUAL, "<enter>jjm");
    let mut app = loaded(&[MUTUAL], LARGE);
    script(&mut app, MUTUAL, "<enter>jjm");
    assert!(picture(&app).contains("Δ mark"));
    script(&mut app, MUTUAL, "m");
    assert!(picture(&app).contains("Δ first"));
}

#[test]
fn popups() {
    shot("help", MUTUAL, "?");
    shot("explain-finding", MISSING, "e");
    shot("explain-message", MUTUAL, "<enter>e");
    shot("explain-ghost", "guide/1-version-client-12-server-13.pcapng", "<enter>je");
    shot("explain-inferred", "good/mtls-13.pcapng", "<enter>jjje");
    shot("columns", MUTUAL, "cjj ");
    shot("save", MUTUAL, "<enter>w");
    shot("save-redacted", MUTUAL, "<enter>wj<right>j ");
}

#[test]
fn nothing_to_show() {
    shot("nothing-passes", MUTUAL, "/name:nobody<enter>");
    shot("wrong-filter", MUTUAL, "/nam:x");
}

#[test]
fn damage_is_shown() {
    shot("damaged", "damaged/cut-file-12.pcapng", "");
}

#[test]
fn an_empty_list_says_what_was_read() {
    for size in [SMALL, LARGE] {
        let mut app = App::new("quiet.pcap".into(), Theme { color: false, unicode: true }, size);
        let p = Progress {
            bytes: 5000,
            total: Some(5000),
            frames: 30,
            decoded: 20,
            connections: 2,
            elapsed: Duration::from_secs(1),
            live: None,
        };
        app.news(News::Rows(Vec::new(), Progress { bytes: 2500, ..p }));
        insta::assert_snapshot!(format!("loading-{}x{}", size.0, size.1), picture(&app));
        app.news(News::Rows(Vec::new(), p));
        let mut end = End { skipped: vec![("not ip", 10)], ..End::default() };
        end.info.complete = true;
        app.news(News::Loaded(Box::new(end)));
        insta::assert_snapshot!(format!("empty-{}x{}", size.0, size.1), picture(&app));
    }
}

#[test]
fn a_filter_that_is_wrong_keeps_the_old_list() {
    let mut app = loaded(&[MISSING, MUTUAL], LARGE);
    script(&mut app, MISSING, "/mtls:yes");
    assert_eq!(app.list.view.len(), 1);
    script(&mut app, MISSING, " is:");
    assert!(app.list.wrong.is_some());
    assert_eq!(app.list.view.len(), 1);
    // Enter does not accept it, Esc goes back to what was before the prompt.
    script(&mut app, MISSING, "<enter>");
    assert!(app.prompt.is_some());
    script(&mut app, MISSING, "<esc>");
    assert_eq!((app.list.view.len(), app.list.wrong.is_some(), app.prompt.is_some()), (2, false, false));
}

#[test]
fn failed_only_and_back() {
    let mut app = loaded(&[MISSING, MUTUAL], LARGE);
    script(&mut app, MISSING, "f");
    assert_eq!(app.list.view.len(), 1);
    assert_eq!(app.list.selected().unwrap().cause, Some("client-cert-missing"));
    script(&mut app, MISSING, "<esc>");
    assert_eq!(app.list.view.len(), 2);
}

#[test]
fn a_byte_leads_to_its_field_and_back() {
    let mut app = loaded(&[MUTUAL], (160, 50));
    script(&mut app, MUTUAL, "<enter><tab>");
    let o = app.open_mut().unwrap();
    let random = o.nodes.iter().position(|n| n.name == "random").unwrap();
    o.choose(random);
    let lit = o.lit();
    assert_eq!(lit.iter().map(|s| s.len).sum::<u32>(), 32);
    let (frame, off) = (lit[0].frame, lit[0].off as usize);
    o.choose(0);
    assert!(o.choose_byte(frame, off + 5));
    assert_eq!(o.field, random);
    // The lit bytes are those of the message.
    let data = &o.detail.frames[&frame].data;
    assert_eq!(crate::text::hex(&data[off..off + 32]), o.field_hex().unwrap());
}

#[test]
fn the_mouse_selects_and_opens_and_drags() {
    let mut app = loaded(&[MISSING, MUTUAL], LARGE);
    let click = |x, y| {
        Event::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: x,
            row: y,
            modifiers: KeyModifiers::NONE,
        })
    };
    app.event(click(10, 4));
    assert_eq!(app.list.cursor, 1);
    let border = app.place(Pane::Why).unwrap().y;
    app.event(click(50, border));
    app.event(Event::Mouse(MouseEvent {
        kind: MouseEventKind::Drag(MouseButton::Left),
        column: 50,
        row: border + 5,
        modifiers: KeyModifiers::NONE,
    }));
    assert_eq!(app.place(Pane::Why).unwrap().y, border + 5);
    app.event(click(10, 4));
    assert!(app.flow.is_some());
}

#[test]
fn a_flow_fits_in_two_kib() {
    // Rows hold what the list shows; texts are shared.
    assert!(size_of::<Row>() <= 400, "{}", size_of::<Row>());
    let mut shared = Shared::default();
    let mut file = capture::open(&testdata(MISSING)).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    while let Some(f) = file.next_frame().unwrap() {
        analyzer.push(&f);
    }
    analyzer.end_source(file.info());
    for f in analyzer.take_flows() {
        let row = Row::new(&f, &mut shared);
        let texts: usize = row.findings.iter().map(|x| x.title.len() + x.detail.len() + x.remedy.len() + 96).sum();
        let findings = std::mem::size_of_val(&*row.findings);
        let frames: usize = row.findings.iter().map(|x| std::mem::size_of_val(&*x.frames)).sum();
        let all = size_of::<Row>() + texts + findings + frames;
        assert!(all <= 4096, "even unshared: {all}");
    }
}

#[test]
fn rows_that_leave_a_live_list_are_told() {
    use crate::limits::LIVE_ROWS;
    use crate::tui::worker::Pace;
    let mut app = loaded(&[MISSING], (200, 40));
    let row = app.list.rows[0].clone();
    app.list = Default::default();
    app.end = None;
    let mut id = 0;
    let mut rows = |n: usize| -> Vec<Row> {
        (0..n)
            .map(|_| {
                id += 1;
                Row { id, ..row.clone() }
            })
            .collect()
    };
    let live = |left| Progress { live: Some(Pace { left, ..Pace::default() }), ..Progress::default() };
    app.news(News::Rows(rows(LIVE_ROWS), live(0)));
    assert!(!picture(&app).contains("left the list"));
    app.news(News::Rows(rows(1), live(0)));
    let half = LIVE_ROWS / 2;
    assert_eq!((app.left(), app.list.rows.len()), (half as u64, half + 1));
    assert!(picture(&app).contains("oldest 50,000 left the list"), "{}", picture(&app));
    // While the view is frozen, and in a screen that takes nothing for long.
    app.freeze();
    app.news(News::Rows(rows(LIVE_ROWS + 3), live(4)));
    assert_eq!(app.left(), half as u64 + 3 + 4);
}

#[test]
fn nothing_in_a_capture_drives_the_terminal() {
    let mut app = loaded(&[MUTUAL], LARGE);
    let mut row = app.list.rows[0].clone();
    row.id = 99;
    row.name = Some(crate::text::escape_bytes(b"evil\x1b]0;title\x07\xe2\x80\xaegnp.exe\xff").as_ref().into());
    row.time = Timestamp(i64::MIN);
    row.first = FrameNo(u64::MAX);
    app.news(News::Rows(vec![row], Progress::default()));
    let p = picture(&app);
    assert!(!p.chars().any(|c| crate::text::is_unsafe(c) && c != '\n'), "{p}");
}

#[test]
fn without_utf8_the_screen_is_ascii() {
    let mut app = loaded(&[MISSING], SMALL);
    app.theme = Theme { color: false, unicode: false };
    for keys in ["", "<enter>", "<tab>", "?"] {
        script(&mut app, MISSING, keys);
        assert!(picture(&app).is_ascii());
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let code = prop_oneof![
        8 => proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        1 => any::<char>().prop_map(KeyCode::Char),
        1 => Just(KeyCode::Enter), 1 => Just(KeyCode::Esc), 1 => Just(KeyCode::Tab), 1 => Just(KeyCode::BackTab),
        1 => Just(KeyCode::Up), 2 => Just(KeyCode::Down), 1 => Just(KeyCode::Left), 2 => Just(KeyCode::Right),
        1 => Just(KeyCode::PageUp), 1 => Just(KeyCode::PageDown), 1 => Just(KeyCode::Home), 1 => Just(KeyCode::End),
        1 => Just(KeyCode::Backspace), 1 => Just(KeyCode::Delete),
    ];
    let keys = (code, any::<u8>()).prop_map(|(c, m)| {
        Event::Key(KeyEvent::new(c, if m < 10 { KeyModifiers::CONTROL } else { KeyModifiers::NONE }))
    });
    let kinds = prop_oneof![
        Just(MouseEventKind::Down(MouseButton::Left)),
        Just(MouseEventKind::Drag(MouseButton::Left)),
        Just(MouseEventKind::Up(MouseButton::Left)),
        Just(MouseEventKind::ScrollDown),
        Just(MouseEventKind::ScrollUp),
    ];
    let mouse = (kinds, 0u16..200, 0u16..70)
        .prop_map(|(kind, column, row)| Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    let sizes = prop_oneof![(0u16..30, 0u16..12), (0u16..220, 0u16..70)].prop_map(|(w, h)| Event::Resize(w, h));
    prop_oneof![12 => keys, 4 => mouse, 2 => sizes]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_and_no_size_make_it_panic(events in proptest::collection::vec(any_event(), 1..120)) {
        thread_local! {
            // Loading is the slow part; the state is not cloned but made again from the same rows.
            static ROWS: Vec<Row> = loaded(&[MISSING, MUTUAL, "guide/1-version-client-12-server-13.pcapng"], SMALL).list.rows;
        }
        let mut app = App::new("x".into(), Theme { color: true, unicode: true }, SMALL);
        app.news(News::Rows(ROWS.with(Clone::clone), Progress::default()));
        for e in events {
            app.event(e);
            // Which of the captures does not matter here: one that lacks the flow is a failure to be shown.
            answer(&mut app, MISSING);
            app.quit = false;
            picture(&app);
        }
    }
}
