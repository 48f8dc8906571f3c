//! A capture whose texts try to become markup, links, scripts or escape sequences; and what the formats make of them.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};
use roxmltree::Document;
use serde_json::Value;
use tlscope::report;

use crate::support::{Reported, drives_a_terminal};
use crate::wire;

/// What a client may ask for and a certificate may be called.
pub const TEXTS: &[&str] = &[
    "<script>document.title='taken'</script>",
    "\"><img src=x onerror=document.title='taken'>",
    "'--></style></title></textarea><svg onload=document.title='taken'>",
    "]]>&amp;&#60;b&#62;",
    "[a](javascript:alert(1)) ![b](https://img.example/x.png) https://auto.example www.auto.example",
    "``` | ~~~ ` **bold** _under_ # head @somebody #12 {0}",
    "\u{202e}gpj.exe\u{2066} \x1b[2J\x1b]0;title\x07 \u{fffe}\u{ffff}\0\r\n\n# head",
];

fn with_length(bytes: usize, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    [&len[len.len() - bytes..], content].concat()
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &with_length(2, content)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    record(22, &[&[kind][..], &with_length(3, body)].concat())
}

fn client_hello(name: &str) -> Vec<u8> {
    let host = [&[0][..], &with_length(2, name.as_bytes())].concat();
    let mut extensions = [&[0, 0][..], &with_length(2, &with_length(2, &host))].concat();
    let alpn = with_length(2, &with_length(1, name.as_bytes()));
    extensions.extend([&[0, 16][..], &with_length(2, &alpn)].concat());
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    body.extend(with_length(2, &extensions));
    message(1, &body)
}

fn server_flight(name: &str) -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([9; 32]);
    hello.extend([0, 0xc0, 0x2f, 0]);
    hello.extend(with_length(2, &[0xff, 1, 0, 1, 0]));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, format!("O {name}"));
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let certificate = with_length(3, &with_length(3, &der));
    [message(2, &hello), message(11, &certificate), message(14, &[])].concat()
}

/// A pcap file: one connection for each text, refused by an alert.
fn capture() -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut at = 0u32;
    for (n, text) in TEXTS.iter().enumerate() {
        let alert = record(21, &[2, 48]);
        let turns = vec![(true, client_hello(text)), (false, server_flight(text)), (true, alert)];
        for seg in wire::connection(&turns, |n| n) {
            let mut frame = seg.frame(0);
            // Another client for each.
            let own = if seg.from_client { 29 } else { 33 };
            frame[own] = 100 + n as u8;
            at += 1;
            out.extend(1_780_000_000u32.to_le_bytes());
            out.extend(at.to_le_bytes());
            out.extend([(frame.len() as u32).to_le_bytes(), (frame.len() as u32).to_le_bytes()].concat());
            out.extend(frame);
        }
    }
    out
}

/// What is reported of it; the file's own name is the worst of the texts.
pub fn reported() -> Reported {
    let r = Reported::of(std::io::Cursor::new(capture()), TEXTS[0]);
    assert_eq!(r.flows.len(), TEXTS.len());
    r
}

#[test]
fn no_format_gives_out_a_control_character() {
    let r = reported();
    for format in report::FORMATS {
        let text = r.write(format.name);
        assert_eq!(drives_a_terminal(&text), None, "{}", format.name);
        for text in TEXTS {
            assert!(r.flows.iter().any(|f| f.facts.server_name() == Some(text.as_bytes())), "{text}");
        }
    }
}

#[test]
fn junit_holds_the_texts_as_text() {
    let text = reported().write("junit");
    let document = Document::parse(&text).expect("well-formed");
    let names: Vec<_> = document.descendants().filter_map(|n| n.attribute("name")).collect();
    for text in &TEXTS[..4] {
        assert!(names.iter().any(|n| n.contains(text)), "{text}: {names:?}");
    }
    let elements: Vec<_> =
        document.descendants().filter(|n| n.has_tag_name("script") || n.has_tag_name("img")).collect();
    assert!(elements.is_empty(), "{elements:?}");
}

#[test]
fn sarif_holds_no_link_and_no_placeholder() {
    let log: Value = serde_json::from_str(&reported().write("sarif")).expect("JSON");
    let messages: Vec<_> =
        log["runs"][0]["results"].as_array().unwrap().iter().map(|r| r["message"]["text"].as_str().unwrap()).collect();
    assert!(messages.iter().any(|m| m.contains("\\[a\\](javascript")), "{messages:?}");
    assert!(messages.iter().any(|m| m.contains("{{0}}")), "{messages:?}");
    for m in messages {
        assert!(!m.contains("[a]("), "{m}");
    }
    let uri = log["runs"][0]["artifacts"][0]["location"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("%3Cscript%3E"), "{uri}");
}

#[test]
fn markdown_holds_no_markup_of_the_wire() {
    let all = reported();
    for (flow, hostile) in all.flows.iter().zip(TEXTS) {
        let text = Reported { flows: vec![flow.clone()], sources: all.sources.clone(), findings: Vec::new() }
            .write("markdown");
        let mut code = Vec::new();
        let mut blocks = 0;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Html(h) | Event::InlineHtml(h) => assert_eq!(h.trim(), "<!-- -->", "{text}"),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => panic!("{dest_url}: {text}"),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => blocks += 1,
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => panic!("an indented block: {text}"),
                Event::Start(Tag::Heading { level, .. }) => assert!(level > HeadingLevel::H1, "{text}"),
                Event::Code(t) => code.push(t.into_string()),
                _ => {}
            }
        }
        // The name as the text of a code span; the one block is the ladder.
        let name = tlscope::text::escape(hostile);
        assert!(code.iter().any(|c| *c == name), "{name}: {code:?}");
        assert_eq!(blocks, 1, "{text}");
        // Raw, GitHub would make a link of it or call somebody.
        for line in text.lines().filter(|l| !l.contains('`')) {
            assert!(!line.contains("https://auto.example") && !line.contains("@somebody"), "{line}");
        }
    }
}
