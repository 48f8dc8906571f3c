//! The bytes of the frames that carry a message; those of the chosen field are lit.

use crate::text;
use crate::tui::app::{App, Pane};
use crate::tui::chrome::Canvas;
use crate::tui::flow_view::HexLine;
use crate::tui::theme::Paint;

/// Columns before the hexadecimal digits: the offset.
const LEFT: usize = 7;

/// Which byte of a line stands at a column of the pane.
pub(crate) fn column(x: usize, per: usize) -> Option<usize> {
    let x = x.checked_sub(LEFT)?;
    let hex = per * 3;
    let n = if x < hex { x / 3 } else { x.checked_sub(hex + 1)? };
    (n < per).then_some(n)
}

/// Draws the pane.
pub(crate) fn draw(app: &App, c: &mut Canvas<'_>) {
    let focused = app.focus == Pane::Bytes;
    let Some(o) = app.open() else {
        c.frame("Bytes", focused);
        return;
    };
    let frames = o.frames();
    let title = match frames.as_slice() {
        [] => "Bytes".to_owned(),
        [one] => {
            let len = o.detail.frames.get(one).map_or(0, |f| f.data.len());
            format!("Bytes: frame {one}, {}", crate::text::count(len as u64, "byte"))
        }
        [first, .., last] => format!("Bytes: frames {first} to {last}"),
    };
    let inside = c.frame(&title, focused);
    let per = app.bytes_per_line();
    let all = o.hex(per);
    c.scroll_mark(o.bytes_top, usize::from(inside.height), all.len());
    let mut c = c.part(inside);
    let lit = o.lit();
    for (y, line) in all.iter().skip(o.bytes_top).take(usize::from(inside.height)).enumerate() {
        match line {
            HexLine::Head(f) => {
                let text = match o.detail.frames.get(f) {
                    Some(b) if (b.orig_len as usize) > b.data.len() => {
                        format!("frame {f}: {} of {} captured", b.data.len(), text::bytes(b.orig_len as usize))
                    }
                    Some(b) => format!("frame {f}: {}", text::bytes(b.data.len())),
                    None => {
                        format!(
                            "frame {f}: its bytes are not held ({} beyond the cap)",
                            text::count(o.detail.frames_omitted, "frame")
                        )
                    }
                };
                c.put(1, y, &text, Paint::Dim);
            }
            HexLine::Bytes(f, at) => {
                c.put(1, y, &format!("{at:04x}"), Paint::Dim);
                let data = o.detail.frames.get(f).and_then(|b| b.data.get(*at..)).unwrap_or(&[]);
                for (n, b) in data.iter().take(per).enumerate() {
                    let off = at + n;
                    let is_lit = |off: usize| {
                        lit.iter().any(|s| {
                            s.frame == *f
                                && (s.off as usize) <= off
                                && off < (s.off as usize).saturating_add(s.len as usize)
                        })
                    };
                    let now = is_lit(off);
                    let paint = if now { Paint::Lit } else { Paint::Normal };
                    c.put(LEFT + n * 3, y, &format!("{b:02x}"), paint);
                    // The gap between two lit bytes is lit too, so that a field reads as one piece.
                    if now && n + 1 < per && is_lit(off + 1) && n + 1 < data.len() {
                        c.put(LEFT + n * 3 + 2, y, " ", Paint::Lit);
                    }
                    let ch = if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' };
                    let mut tmp = [0u8; 4];
                    c.put(
                        LEFT + per * 3 + 1 + n,
                        y,
                        ch.encode_utf8(&mut tmp),
                        if now { Paint::Lit } else { Paint::Dim },
                    );
                }
            }
        }
    }
}
