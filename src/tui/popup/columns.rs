//! Which columns the list has.

use crate::tui::app::App;
use crate::tui::list::Column;
use crate::tui::theme::Paint;

use super::Line;

/// How many there are.
pub(crate) const fn count() -> usize {
    Column::ALL.len()
}

/// One line each, ticked where it shows.
pub(crate) fn lines(app: &App, _cursor: usize) -> Vec<Line> {
    let tick = |c: &Column| if app.list.columns.contains(c) { "[x] " } else { "[ ] " };
    Column::ALL.iter().map(|c| vec![(format!("{}{}", tick(c), c.title()), Paint::Normal)]).collect()
}

/// Shows or hides one. The result stays: without it the list says nothing.
pub(crate) fn toggle(app: &mut App, at: usize) {
    let Some(c) = Column::ALL.get(at).copied() else { return };
    if c == Column::Result {
        return app.say("the result stays".into());
    }
    let l = &mut app.list;
    if l.columns.contains(&c) {
        l.columns.retain(|x| *x != c);
    } else {
        l.columns = Column::ALL.iter().copied().filter(|x| *x == c || l.columns.contains(x)).collect();
    }
}
