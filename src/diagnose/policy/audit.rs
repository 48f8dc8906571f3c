//! Which expectations were checked on any connection at all.

use std::collections::BTreeSet;

use super::super::{Blame, Finding, Hit, Policy, capture_finding, rule, words};
use super::NOT_CHECKED;
use super::judge::{JUDGES, Verdict};
use crate::expect::{Expectations, Place};
use crate::facts::FlowFacts;

/// Looks at each flow and knows in the end what was checked on none.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    flows: u64,
    /// Sections that some flow met.
    met: BTreeSet<Place>,
    /// Requirements that some flow was judged by.
    judged: BTreeSet<(Place, &'static str)>,
}

impl Audit {
    /// Takes a flow that was reported.
    pub fn add(&mut self, f: &FlowFacts, policy: &Policy) {
        if policy.expect.is_empty() {
            return;
        }
        self.flows = self.flows.saturating_add(1);
        for j in JUDGES {
            let Some((verdict, place)) = (j.judge)(f, policy) else { continue };
            self.met.insert(place);
            if matches!(verdict, Verdict::Holds | Verdict::Broken(_)) {
                self.judged.insert((place, j.key));
            }
        }
    }

    /// One finding for each place of the policy with requirements that no flow was judged by.
    pub fn findings(&self, policy: &Policy) -> Vec<Finding> {
        let expect = &policy.expect;
        let Some(rule) = rule(NOT_CHECKED).filter(|_| !expect.allow_unchecked) else { return Vec::new() };
        let sections = (0..expect.sections.len()).map(Place::Section);
        let places = std::iter::once(Place::All).chain(sections);
        places
            .filter_map(|place| {
                let keys = self.unchecked(expect, place);
                let title = expect.title(place);
                (!keys.is_empty()).then(|| {
                    let about = format!("{title}: {}", keys.join(" "));
                    capture_finding(rule, self.hit(title, &keys, self.met.contains(&place)).about(about))
                })
            })
            .collect()
    }

    fn unchecked(&self, expect: &Expectations, place: Place) -> Vec<&'static str> {
        let require = match place {
            Place::All => Some(&expect.all),
            Place::Section(n) => expect.sections.get(n).map(|s| &s.require),
        };
        let keys = JUDGES.iter().filter(|j| require.is_some_and(|r| (j.required)(r))).map(|j| j.key);
        keys.filter(|key| !self.judged.contains(&(place, *key))).collect()
    }

    fn hit(&self, title: &str, keys: &[&str], met: bool) -> Hit {
        let why = match (self.flows, met) {
            (0, _) => "there is no connection in the capture".to_owned(),
            (n, false) => format!("none of {} belongs there", words::count(n, "connection")),
            (_, true) => "those that belong there failed before, or do not show it".to_owned(),
        };
        let detail = format!("Expected of {title}, and checked on no connection: {}; {why}.", words::list(keys));
        Hit::new(detail, "Compare the policy with the connections of the report, and capture where the traffic is; or allow it: allow_unchecked = true.")
            .blame(Blame::Nobody)
    }
}
