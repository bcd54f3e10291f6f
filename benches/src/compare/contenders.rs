//! The contenders by name, and who takes part where.

use clap::ValueEnum;

use super::Section;
use crate::{
    BenchError, Contender, DashMap, Floor, Mutex, MutexView, Public, PublicFast, Ring, RingCall,
    drive::{self, Plan, Sample},
    open_loop::{self, Load, OpenSample},
    work::{Shape, Strategy, Work},
};

/// The contenders by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ContenderId {
    /// The mutex baseline with owned requests.
    Mutex,
    /// The mutex baseline with borrowed requests.
    MutexView,
    /// The baseline with maps in shards, with owned requests.
    #[value(name = "dashmap")]
    DashMap,
    /// The host from crates.io.
    #[value(name = "public-0.2.2")]
    Public,
    /// The same, by its path for plugins that are known to answer inside `handle`.
    PublicFast,
    /// This project's host with borrowed requests.
    Ring,
    /// This project's host with owned requests.
    RingCall,
    /// No host: what all of them share.
    Floor,
}

/// Evaluates an expression for the type that an id stands for.
macro_rules! for_type {
    ($id:expr, $C:ident => $body:expr) => {
        match $id {
            ContenderId::Mutex => for_type!(@ $C Mutex $body),
            ContenderId::MutexView => for_type!(@ $C MutexView $body),
            ContenderId::DashMap => for_type!(@ $C DashMap $body),
            ContenderId::Public => for_type!(@ $C Public $body),
            ContenderId::PublicFast => for_type!(@ $C PublicFast $body),
            ContenderId::Ring => for_type!(@ $C Ring $body),
            ContenderId::RingCall => for_type!(@ $C RingCall $body),
            ContenderId::Floor => for_type!(@ $C Floor $body),
        }
    };
    (@ $C:ident $Type:ident $body:expr) => {{
        type $C = $Type;
        $body
    }};
}

impl ContenderId {
    /// What the report calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        for_type!(self, C => C::NAME)
    }

    /// Builds what it loads, which takes long the first time.
    pub(super) fn prepare(self) -> Result<(), BenchError> {
        for_type!(self, C => C::plugin().map(drop))
    }

    pub(super) fn measure(self, shape: &Shape, plan: Plan) -> Result<Sample, BenchError> {
        for_type!(self, C => drive::measure::<C>(&C::plugin()?, shape, plan))
    }

    pub(super) fn open_loop(self, shape: &Shape, load: Load) -> Result<OpenSample, BenchError> {
        for_type!(self, C => open_loop::measure::<C>(&C::plugin()?, shape, load))
    }
}

/// Who is measured in one column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrant {
    pub(super) name: &'static str,
    pub(super) id: ContenderId,
    /// In place of the shape's own.
    pub(super) strategy: Option<Strategy>,
}

impl Entrant {
    /// Whether it does this in a way of its own: the fast path is one for unary calls that are answered inside `handle`.
    pub(super) fn takes_part(self, shape: &Shape) -> bool {
        let inside = matches!(shape.work, Work::Unary { path, .. } if !path.starts_with("/b"));
        self.id != ContenderId::PublicFast || inside
    }

    fn of(id: ContenderId) -> Self {
        Self { name: id.name(), id, strategy: None }
    }

    pub(super) fn measure(self, shape: &Shape, plan: Plan) -> Result<Sample, BenchError> {
        let shape = self.strategy.map_or(*shape, |strategy| shape.waiting(strategy));
        self.id.measure(&shape, plan)
    }
}

/// Who takes part in a section: whom the user named, or the section's own.
pub(super) fn entrants(section: Section, named: Option<&[ContenderId]>) -> Vec<Entrant> {
    use ContenderId::{DashMap, Floor, Mutex, Public, PublicFast, Ring, RingCall};
    let ids = named.unwrap_or(match section {
        Section::Rows => &[Mutex, Public, Ring, RingCall, DashMap, PublicFast, Floor],
        Section::Threads | Section::Depth | Section::Payload | Section::Streams => &[Mutex, Public, Ring, DashMap],
        _ => &[Mutex, Public, Ring],
    });
    let of = |&id: &ContenderId| match (section, id) {
        (Section::Strategies, Ring) => {
            let with = |&strategy: &Strategy| Entrant { name: strategy.name(), id, strategy: Some(strategy) };
            Strategy::ALL.iter().map(with).collect()
        }
        _ => vec![Entrant::of(id)],
    };
    ids.iter().flat_map(of).collect()
}
