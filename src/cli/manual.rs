//! `tlscope man`: the manual page, one for the program and its commands, made from the command line's own description.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;

use super::args::Cli;

/// The section on exit codes (roff).
const EXIT_STATUS: &str = ".SH EXIT STATUS
.TP
0
Everything was read, no finding at or above \\fB\\-\\-fail\\-on\\fR.
.TP
1
A finding at or above \\fB\\-\\-fail\\-on\\fR, or an expectation (\\fB\\-\\-expect\\fR) broken, or a change since \\fB\\-\\-baseline\\fR.
.TP
2
The command line is wrong.
.TP
3
An input or interface cannot be opened, is damaged or fails (what is readable is still reported), or the output cannot be
written. A live capture that is interrupted and wrote its whole report ends with 0; the UI dies of the signal that ended it,
after it has printed the report.
";

/// The section on rights (roff).
const RIGHTS: &str = ".SH RIGHTS
Before the first packet is read, from a file or an interface, all rights are given up: root becomes another user
(\\fB\\-\\-user\\fR), capabilities are dropped, and no file, connection or program can be opened any more (landlock, seccomp),
as far as the kernel knows these. Files are written by another process, which has the rights to write in one folder and no
others (for the key w of the UI, wherever its user may); started as root, it writes as who called sudo or as
\\fB\\-\\-user\\fR says, and not where they could not. \\fB\\-\\-verbose\\fR says how far that went;
\\fB\\-\\-no\\-sandbox\\fR keeps all rights.
";

/// Writes the page.
pub(super) fn write(out: &mut dyn Write) -> io::Result<()> {
    let mut program = Cli::command();
    program.build();
    let main = Man::new(shown(&program, |_| true));
    main.render_title(out)?;
    main.render_name_section(out)?;
    main.render_synopsis_section(out)?;
    main.render_description_section(out)?;
    main.render_options_section(out)?;
    out.write_all(b".SH COMMANDS\n")?;
    for c in commands(&program) {
        command(out, c)?;
    }
    out.write_all(EXIT_STATUS.as_bytes())?;
    out.write_all(RIGHTS.as_bytes())?;
    out.write_all(b".SH EXAMPLES\n")?;
    more(out, &program)?;
    main.render_version_section(out)
}

/// The commands that a person types.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|c| !c.is_hide_set())
}

/// The command with those of its options that `wanted` names, also where a help of one screen leaves them out.
fn shown(c: &Command, wanted: impl Fn(&Arg) -> bool) -> Command {
    c.clone().mut_args(|a| {
        let hide = !wanted(&a);
        a.hide(hide).hide_short_help(false)
    })
}

/// One command as a subsection; the options of every command stand before.
fn command(out: &mut dyn Write, c: &Command) -> io::Result<()> {
    let of_its_own = |a: &Arg| !a.is_global_set() && !matches!(a.get_id().as_str(), "help" | "version");
    let man = Man::new(shown(c, of_its_own));
    writeln!(out, ".SS \"{}\"", escape(c.get_bin_name().unwrap_or_else(|| c.get_name())))?;
    section(out, |b| man.render_synopsis_section(b))?;
    out.write_all(b".PP\n")?;
    section(out, |b| man.render_description_section(b))?;
    section(out, |b| man.render_options_section(b))?;
    more(out, c)
}

/// A section without its heading: the subsection has one.
fn section(out: &mut dyn Write, render: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut bytes = Vec::new();
    render(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter(|l| !l.starts_with(".SH")).try_for_each(|l| writeln!(out, "{l}"))
}

/// What stands behind the options in a help: paragraphs, and lists under a heading, whose lines stay as they are.
fn more(out: &mut dyn Write, c: &Command) -> io::Result<()> {
    let Some(text) = c.get_after_long_help().or(c.get_after_help()) else { return Ok(()) };
    let text = text.to_string();
    for paragraph in text.split("\n\n") {
        let (head, list) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        if list.lines().next().is_some_and(|l| l.starts_with("  ")) {
            writeln!(out, ".PP\n{}\n.RS 4\n.nf", escape(head))?;
            list.lines().try_for_each(|l| writeln!(out, "{}", escape(l.strip_prefix("  ").unwrap_or(l))))?;
            out.write_all(b".fi\n.RE\n")?;
        } else {
            out.write_all(b".PP\n")?;
            paragraph.lines().try_for_each(|l| writeln!(out, "{}", escape(l)))?;
        }
    }
    Ok(())
}

/// A line of text that roff takes for nothing else.
fn escape(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq").replace('`', "\\(ga");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_option_of_every_command_stands_in_it() {
        let page = page();
        let (head, rest) = page.split_once(".SH COMMANDS\n").unwrap();
        let mut program = Cli::command();
        program.build();
        let has = |text: &str, a: &Arg, of: &str| {
            let names = a.get_long().map(|l| format!("\\-\\-{}", escape(l))).into_iter();
            let names = names.chain(a.get_short().map(|c| format!("\\-{c}")));
            for name in names {
                let entry = text.lines().any(|l| l.starts_with("\\fB") && l.contains(&format!("\\fB{name}\\fR")));
                assert!(entry, "{name} of {of} is not in the manual");
            }
            if a.get_id() == "help" {
                return;
            }
            let about = a.get_help().unwrap_or_else(|| panic!("{a} has a help")).to_string();
            let text = text.replace("\\-", "-").replace("\\*(Aq", "'");
            assert!(text.contains(&about), "{a} of {of} is not explained: {about}");
        };
        program.get_arguments().filter(|a| !a.is_positional()).for_each(|a| has(head, a, "tlscope"));
        let mut sections = rest.split(".SS ").skip(1);
        for c in commands(&program) {
            let section = sections.next().unwrap();
            assert!(section.starts_with(&format!("\"tlscope {}\"\n", c.get_name())), "{section}");
            for a in c.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
                match (a.is_global_set(), a.is_positional()) {
                    (true, _) => has(head, a, c.get_name()),
                    (false, false) => has(section, a, c.get_name()),
                    (false, true) => {
                        let names = a.get_value_names().unwrap();
                        assert!(names.iter().all(|n| section.contains(n.as_str())), "{a} of {}", c.get_name());
                    }
                }
            }
        }
        assert!(!page.contains("scribe"), "what the program starts by itself is nobody's to type");
    }

    #[test]
    fn text_is_no_command_of_roff() {
        assert_eq!(escape(".so x"), "\\&.so x");
        assert_eq!(escape("'a\\b-c"), "\\&'a\\eb\\-c");
    }
}
