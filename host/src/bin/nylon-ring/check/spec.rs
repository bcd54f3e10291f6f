//! What a check is to do: the request, and how it is to be answered. It travels to the process of the check as JSON.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    code::Code,
    harness::{book::Shape, request::Request},
};

/// One request, and how it is to be answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) shape: Shape,
    pub(crate) request: Request,
}

impl Spec {
    /// The request of the `n`-th call, with a mark of its own in a header and in the query.
    pub(crate) fn marked(&self, n: usize) -> Request {
        let mut request = self.request.clone();
        let mark = mark(n);
        let and = if request.query.is_empty() { "" } else { "&" };
        request.query = format!("{}{and}nylon-check={mark}", request.query);
        request.headers.push(("x-nylon-check".to_owned(), mark));
        request
    }
}

/// The mark of the `n`-th call. No mark is a part of another.
pub(crate) fn mark(n: usize) -> String {
    format!("<{n:06}>")
}

/// All that the process of a check is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) check: String,
    pub(crate) plugin: PathBuf,
    pub(crate) specs: Vec<Spec>,
    pub(crate) timeout: Duration,
    pub(crate) config: Option<Vec<u8>>,
    /// Where the report goes.
    pub(crate) report: PathBuf,
    /// What checks before this one have found.
    pub(crate) known: BTreeSet<Code>,
}

impl Order {
    /// For what only loads the plugin.
    pub(crate) fn to_load(plugin: PathBuf) -> Self {
        Self {
            check: String::new(),
            plugin,
            specs: Vec::new(),
            timeout: Duration::from_secs(5),
            config: None,
            report: PathBuf::new(),
            known: BTreeSet::new(),
        }
    }

    /// Whether it is known that answers go astray: then a check that waits for each of them would meet the same again.
    pub(crate) fn knows_of_lost_answers(&self) -> bool {
        const LOST: [Code; 5] =
            [Code::Unanswered, Code::StreamNotEnded, Code::UnknownSid, Code::MixedUpAnswers, Code::NotThreadSafe];
        LOST.iter().any(|code| self.known.contains(code))
    }
}
