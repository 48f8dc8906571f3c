//! Writing to a file: the flow on the screen, or the list.

use tui_input::Input;

use crate::ladder;
use crate::span::Role;
use crate::tui::app::{App, Prompt, Save};
use crate::tui::filter;
use crate::tui::row::endpoint;
use crate::tui::theme::Paint;

use super::Line;

/// Columns of a ladder in a file.
const LADDER: usize = 100;

/// What can be written now.
pub(crate) fn choices(app: &App) -> Vec<(Save, String)> {
    let mut out = Vec::new();
    if let Some(o) = app.open() {
        let id = o.detail.report.facts.id;
        out.push((Save::FlowText, format!("flow {id} as text: ladder and findings")));
        out.push((Save::FlowJson, format!("flow {id} as JSON, as in the report")));
    }
    if app.flow.is_none() {
        out.push((Save::List, format!("the list as it stands ({} flows), as text", app.list.view.len())));
    }
    out
}

/// One line each.
pub(crate) fn lines(app: &App, _cursor: usize) -> Vec<Line> {
    let mut out: Vec<Line> = choices(app).into_iter().map(|(_, t)| vec![(t, Paint::Normal)]).collect();
    if out.is_empty() {
        out.push(vec![("the flow is still being read".into(), Paint::Dim)]);
    }
    out
}

/// Asks for the name of the file.
pub(crate) fn choose(app: &mut App, at: usize) {
    let Some((what, _)) = choices(app).into_iter().nth(at) else { return };
    let id = app.flow.as_ref().map_or(0, |f| f.row.id);
    let name = match what {
        Save::FlowText => format!("tlscope-flow-{id}.txt"),
        Save::FlowJson => format!("tlscope-flow-{id}.json"),
        Save::List => "tlscope-flows.txt".into(),
    };
    app.prompt = Some(Prompt::SaveAs(what, Input::new(name)));
}

/// The text of the file.
pub(crate) fn content(app: &App, what: Save) -> Option<String> {
    match what {
        Save::FlowText => {
            let o = app.open()?;
            Some(ladder::as_text(&o.detail.report, &o.rungs, LADDER) + &findings_text(app))
        }
        Save::FlowJson => crate::tui::json::flow(&app.open()?.detail.report),
        Save::List => {
            let mut out = String::new();
            for pos in 0..app.list.view.len() {
                let Some(r) = app.list.at(pos) else { continue };
                out.push_str(&format!(
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
                    r.id,
                    r.time,
                    endpoint(r.end(Role::Client)),
                    endpoint(r.end(Role::Server)),
                    r.name.as_deref().unwrap_or("-"),
                    filter::version_name(r.version).replace('–', "-"),
                    r.mtls.name().replace('–', "-"),
                    r.result()
                ));
            }
            Some(out)
        }
    }
}

fn findings_text(app: &App) -> String {
    let Some(o) = app.open() else { return String::new() };
    let mut out = String::new();
    for f in &o.detail.report.diagnosis.findings {
        out.push_str(&format!("\n{} ({}, {}): {}\n", f.code, f.severity.name(), f.confidence.name(), f.title));
        for t in [&f.detail, &f.remedy] {
            if !t.is_empty() {
                out.push_str(&format!("  {t}\n"));
            }
        }
    }
    out
}
