//! Which operations are atomic, where they take their orderings, and what is weaker.

/// What an ordering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Load,
    Store,
    /// A read-modify-write, or one that succeeds.
    Modify,
    /// What a compare-exchange that fails loads with.
    Failure,
}

/// An atomic operation: a method of std's atomics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The arguments that are orderings.
    pub orderings: &'static [(usize, Role)],
    /// Whether it is a read-modify-write.
    pub modifies: bool,
}

impl Operation {
    /// The operation that a method is, by its name and the number of its arguments.
    pub fn of(method: &str, arguments: usize) -> Option<Self> {
        let (orderings, modifies): (&[_], bool) = match (method, arguments) {
            ("load", 1) => (&[(0, Role::Load)], false),
            ("store", 2) => (&[(1, Role::Store)], false),
            ("compare_exchange" | "compare_exchange_weak", 4) => (&[(2, Role::Modify), (3, Role::Failure)], true),
            ("fetch_update", 3) => (&[(0, Role::Modify), (1, Role::Failure)], true),
            ("swap", 2) => (&[(1, Role::Modify)], true),
            (fetch, 2) if fetch.starts_with("fetch_") => (&[(1, Role::Modify)], true),
            _ => return None,
        };
        Some(Self { orderings, modifies })
    }
}

pub fn is_ordering(name: &str) -> bool {
    matches!(name, "SeqCst" | "AcqRel" | "Acquire" | "Release" | "Relaxed")
}

/// The orderings one step below. Since Rust 1.64 a success may be weaker than its failure.
pub fn weaker(role: Role, ordering: &str) -> &'static [&'static str] {
    match (role, ordering) {
        (Role::Load | Role::Failure, "SeqCst") => &["Acquire"],
        (Role::Store, "SeqCst") => &["Release"],
        (Role::Modify, "SeqCst") => &["AcqRel"],
        (_, "AcqRel") => &["Acquire", "Release"],
        (_, "Acquire" | "Release") => &["Relaxed"],
        _ => &[],
    }
}
