//! Flows written to files.

use super::*;

/// Files in memory.
#[derive(Default)]
struct Files {
    whole: std::collections::BTreeMap<PathBuf, Vec<u8>>,
    open: Option<(PathBuf, Vec<u8>)>,
}

impl saver::Destination for Files {
    fn begin(&mut self, path: &Path) -> std::io::Result<()> {
        self.open = Some((path.to_owned(), Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.open.as_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        let (path, bytes) = self.open.take().unwrap();
        if self.whole.contains_key(&path) {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        self.whole.insert(path, bytes);
        Ok(())
    }
}

/// Types a file name over the proposed one and has the file written; gives its content.
fn written(app: &mut App, capture: &str, name: &str) -> Result<Vec<u8>, String> {
    app.event(Event::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    app.event(Event::Paste(name.into()));
    app.event(key(KeyCode::Enter));
    let Some(Effect::Save(job)) = app.effects.pop() else { panic!("nothing was written") };
    assert_eq!(job.path, Path::new(name));
    let (input, _) = Input::open(testdata(capture)).unwrap();
    let files = std::sync::Arc::new(std::sync::Mutex::new(Files::default()));
    let told = saver::start(job, input, Options::default(), Default::default(), files.clone()).recv().unwrap();
    let News::Saved(answer) = &told else { panic!("{told:?}") };
    let answer = answer.clone();
    app.news(told);
    answer.map(|_| files.lock().unwrap().whole[Path::new(name)].clone())
}

#[test]
fn what_is_written_can_be_read_again() {
    let mut app = loaded(&[MISSING], LARGE);
    script(&mut app, MISSING, "w<enter>");
    let packets = written(&mut app, MISSING, "packets").unwrap();
    let again = capture::CaptureFile::from_reader(std::io::Cursor::new(packets), "packets").unwrap();
    let again = frames(again);
    assert_eq!(again, frames(capture::open(&testdata(MISSING)).unwrap()));
    assert!(picture(&app).contains(&format!("{} packets written to packets", again.len())));
}

#[test]
fn every_report_can_be_written_with_other_names() {
    for (n, format) in crate::report::FORMATS.iter().enumerate() {
        let mut app = loaded(&[MISSING], LARGE);
        // Packets are the first form.
        script(&mut app, MISSING, &format!("wj{}j <enter>", "<right>".repeat(n + 1)));
        let text = String::from_utf8(written(&mut app, MISSING, "report").unwrap()).unwrap();
        assert!(text.contains("client-cert-missing"), "{}: {text}", format.name);
        for name in ["tls-server", "198.51.100.20", "Lab "] {
            assert!(!text.contains(name), "{}: it says {name}", format.name);
        }
        if format.name == "json" {
            let v: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(v["flows"][0]["client_hello"]["server_name"], "name1.local");
        }
    }
}

#[test]
fn the_packets_of_one_flow_are_written_alone() {
    const TWO: &str = "good/resumed-psk-13.pcapng";
    let mut app = loaded(&[TWO], LARGE);
    assert_eq!(app.list.rows.len(), 2);
    script(&mut app, TWO, "jw<enter>");
    let want = app.list.selected().unwrap().clone();
    let packets = written(&mut app, TWO, "packets").unwrap();
    let mut file = capture::CaptureFile::from_reader(std::io::Cursor::new(packets), "packets").unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    while let Some(f) = file.next_frame().unwrap() {
        analyzer.push(&f);
    }
    analyzer.end_source(file.info());
    let flows = analyzer.take_flows();
    let [one] = flows.as_slice() else { panic!("{} flows", flows.len()) };
    assert_eq!((one.facts.ends, one.diagnosis.outcome, one.facts.first.time), (want.ends, want.outcome, want.time));
}

/// Time and bytes of each frame.
fn frames(mut file: capture::CaptureFile) -> Vec<(Option<Timestamp>, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some(f) = file.next_frame().unwrap() {
        out.push((f.time, f.data.to_vec()));
    }
    out
}

#[test]
fn packets_are_not_redacted_by_half() {
    let mut app = loaded(&[MISSING], LARGE);
    script(&mut app, MISSING, "wjj <enter>");
    assert!(app.prompt.is_none(), "no name is asked for");
    assert!(picture(&app).contains("packets cannot be redacted"));
}

#[test]
fn quitting_asks_only_while_something_is_written() {
    let mut app = loaded(&[MISSING], LARGE);
    script(&mut app, MISSING, "w<enter><enter>q");
    assert!(!app.quit && picture(&app).contains("still being written"));
    script(&mut app, MISSING, "q");
    assert!(app.quit);
}
