//! The source as it is: it must build, and every test that is to notice a mutant must pass without one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    workshop::{Built, MODELS, Snapshot, Test, Tests, Workshop},
};

/// More than any model takes that should be waited for.
const LIMIT: Duration = Duration::from_secs(1800);

/// How long each test took, kept from run to run while the source is the same.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Baseline {
    digest: u64,
    times: Vec<(Test, Duration)>,
}

impl Baseline {
    /// Runs these tests, and all models if they are needed: whatever was not run before on this source.
    pub fn measure(
        snapshot: &Snapshot,
        workshop: &Workshop,
        mut needed: BTreeSet<Test>,
        all_models: bool,
        file: &Path,
    ) -> Result<Self, Error> {
        let mut baseline = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => Self::default(),
        };
        if baseline.digest != snapshot.digest() {
            baseline = Self { digest: snapshot.digest(), times: Vec::new() };
        }
        baseline.times.retain(|(test, _)| test.is_of_the_ring());
        if all_models {
            let any = Test { package: MODELS.0.to_owned(), test: Some(MODELS.1.to_owned()), name: String::new() };
            let tests = build(workshop, &any)?;
            needed.extend(workshop.models(&tests)?.iter().map(|name| Test::model(name)));
        }
        for test in needed {
            if baseline.times.iter().any(|(known, _)| *known == test) {
                continue;
            }
            let run = workshop.run(&build(workshop, &test)?, &test.name, LIMIT)?;
            if !run.passed() || !run.ran() {
                return Err(Error::Fails { test: test.title(), output: run.output });
            }
            println!("unchanged: {} passes in {:.1} s", test.title(), run.took.as_secs_f64());
            baseline.times.push((test, run.took));
        }
        fs::write(file, serde_json::to_vec(&baseline)?).map_err(Error::io("write", file))?;
        Ok(baseline)
    }

    /// The models, the cheapest first.
    pub fn models(&self) -> Vec<Test> {
        let mut models: Vec<_> = self.times.iter().filter(|(test, _)| test.is_model()).collect();
        models.sort_by_key(|(_, took)| *took);
        models.into_iter().map(|(test, _)| test.clone()).collect()
    }

    pub fn times(&self) -> BTreeMap<Test, Duration> {
        self.times.iter().cloned().collect()
    }
}

fn build(workshop: &Workshop, test: &Test) -> Result<Tests, Error> {
    match workshop.build(test)? {
        Built::Tests(tests) => Ok(tests),
        Built::Refused(why) => Err(Error::Broken(why)),
    }
}
