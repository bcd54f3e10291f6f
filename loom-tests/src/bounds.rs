//! How far the models are explored, and what is said about it.
//!
//! | form | preemptions | ends |
//! | --- | --- | --- |
//! | bounded, the default | the model's own [`Bound`] | when all is explored |
//! | deep, with `LOOM_DEEP=1` | the same, then one more, two more, any number | at the first that does not fit the time limit |
//!
//! The bounded form is a test: it is never cut short. `LOOM_MAX_PREEMPTIONS` gives all models another bound. The deep form
//! prints a row of a table for each model: the deepest exploration that was complete, and the one that was cut by the time, if any.
//! `LOOM_MAX_DURATION` is its limit for each model, in seconds; without it, [`DEEP_LIMIT`].

use std::{
    collections::BTreeSet,
    env,
    fmt::{self, Debug, Display},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use loom::model::Builder;

/// How often a thread may be preempted in one execution. Loom needs few: almost every ordering bug shows with two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// One preemption: for models of long executions.
    One,
    /// Two preemptions: for models of three threads.
    Two,
    /// Three preemptions: for models of two threads.
    Three,
    /// Any number: for small models.
    Any,
}

/// For how long the deep form explores one model.
const DEEP_LIMIT: Duration = Duration::from_secs(180);

/// After how many executions loom looks at the clock.
const LOOK: usize = 500;

/// Explores `f`, and prints how many executions that took.
pub fn model(name: &str, bound: Bound, f: impl Fn() + Send + Sync + 'static) {
    outcomes(name, bound, [()], f);
}

/// As [`model`], where an execution may end in more ways than one: each must be one of those that are `legal`, and each of those
/// must be seen, so that a model that does not get where it should fails, too.
///
/// # Panics
///
/// When an outcome is not legal, or a legal one is never seen.
pub fn outcomes<T, F>(name: &str, bound: Bound, legal: impl IntoIterator<Item = T>, f: F)
where
    T: Ord + Debug + Send + Sync + 'static,
    F: Fn() -> T + Send + Sync + 'static,
{
    let legal = Arc::new(legal.into_iter().collect::<BTreeSet<T>>());
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let check = {
        let (legal, seen) = (legal.clone(), seen.clone());
        Arc::new(move || {
            let outcome = f();
            assert!(legal.contains(&outcome), "{outcome:?} is none of the legal outcomes {legal:?}");
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
        })
    };
    let own = match bound {
        Bound::One => Some(1),
        Bound::Two => Some(2),
        Bound::Three => Some(3),
        Bound::Any => None,
    };
    let all = if env::var_os("LOOM_DEEP").is_some_and(|deep| deep != "0") {
        deep(name, own, &check)
    } else {
        let preemptions = Builder::new().preemption_bound.or(own);
        let explored = explore(preemptions, None, &check);
        println!("model {name}: {explored}");
        // A bound below the model's own need not reach everything.
        preemptions.is_none_or(|preemptions| own.is_some_and(|own| preemptions >= own))
    };
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!all || *seen == *legal, "of the legal outcomes {legal:?} only {seen:?} were seen");
}

/// One exploration of a model.
#[derive(Debug)]
struct Explored {
    /// The bound; `None` is none.
    preemptions: Option<usize>,
    executions: u64,
    seconds: f64,
    /// Whether it ended by itself.
    complete: bool,
}

impl Explored {
    fn bound(&self) -> String {
        self.preemptions.map_or("any".into(), |preemptions| preemptions.to_string())
    }
}

impl Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, seconds, .. } = self;
        write!(f, "{executions} executions, preemption bound {}, {seconds:.1} s", self.bound())
    }
}

/// Explores further and further until the time is over, and prints the row of a table. Whether the model's own bound was completed.
fn deep(name: &str, own: Option<usize>, check: &Arc<impl Fn() + Send + Sync + 'static>) -> bool {
    let limit = Builder::new().max_duration.unwrap_or(DEEP_LIMIT);
    let start = Instant::now();
    let bounds = own.into_iter().flat_map(|own| own..own + 3).map(Some).chain([None]);
    let (mut complete, mut cut) = (None, None);
    for preemptions in bounds {
        let explored = explore(preemptions, Some(limit.saturating_sub(start.elapsed())), check);
        if !explored.complete {
            cut = Some(explored);
            break;
        }
        complete = Some(explored);
    }
    let cells = |explored: &Option<Explored>| match explored {
        Some(explored) => format!("{} | {} | {:.1}", explored.bound(), explored.executions, explored.seconds),
        None => "- | - | -".into(),
    };
    println!("\n| `{name}` | {} | {} |", cells(&complete), cells(&cut));
    complete.is_some()
}

/// Explores with this bound, for about that long.
fn explore(
    preemptions: Option<usize>,
    limit: Option<Duration>,
    check: &Arc<impl Fn() + Send + Sync + 'static>,
) -> Explored {
    let mut builder = Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = preemptions;
    builder.max_permutations = None;
    builder.max_duration = limit;
    builder.checkpoint_interval = LOOK;
    let executions = Arc::new(AtomicU64::new(0));
    let (count, check) = (executions.clone(), check.clone());
    let start = Instant::now();
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        check();
    });
    let (executions, elapsed) = (executions.load(Relaxed), start.elapsed());
    // Loom does not say why it ended. It looks at the clock before every execution whose number is a multiple of `LOOK`.
    let cut = limit.is_some_and(|limit| elapsed >= limit) && (executions + 1).is_multiple_of(LOOK as u64);
    Explored { preemptions, executions, seconds: elapsed.as_secs_f64(), complete: !cut }
}
