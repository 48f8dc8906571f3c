//! What is wrong with a policy.

/// A policy that was not understood: one sentence with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .place.as_ref().map_or_else(String::new, |p| format!("{p}: ")))]
pub struct ExpectError {
    /// `policy.toml, line 3`; `None` for the command line.
    place: Option<String>,
    message: String,
}

impl ExpectError {
    pub(super) fn new(place: Option<String>, message: String) -> Self {
        Self { place, message }
    }
}

/// `; did you mean x?`, or the words there are.
pub(super) fn hint<'a>(what: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    /// Names that are less alike are no help.
    const ALIKE: f64 = 0.82;
    /// Lists that are longer help nobody.
    const LISTED: usize = 16;
    let what = what.to_ascii_lowercase();
    let near = known
        .clone()
        .map(|k| (strsim::jaro_winkler(&k.to_ascii_lowercase(), &what), k))
        .filter(|(n, _)| *n >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, k)) => format!("; did you mean {k}?"),
        None if known.clone().count() <= LISTED => format!("; there are {}", known.collect::<Vec<_>>().join(", ")),
        None => String::new(),
    }
}
