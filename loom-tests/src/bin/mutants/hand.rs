//! `mutants.toml`: mutants that need imagination, witnesses, and why some need none.

use std::collections::HashSet;

use serde::Deserialize;

use crate::{
    error::Error,
    mutant::{Edit, Mutant, Sources},
    source::Found,
    workshop::Test,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    mutant: Vec<ByHand>,
    #[serde(default)]
    witness: Vec<Witness>,
    #[serde(default)]
    explained: Vec<Explained>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByHand {
    file: String,
    name: String,
    what: String,
    find: String,
    replace: String,
    #[serde(default)]
    also: Vec<Also>,
    witness: Option<Test>,
}

/// A further edit of the same mutant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Also {
    file: Option<String>,
    find: String,
    replace: String,
}

/// The witness of a mutant that was found in the source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Witness {
    of: String,
    witness: Test,
}

/// Why nothing notices a mutant, why it does not compile, or why there is none in a place that loom does not compile.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    of: String,
    why: String,
}

/// Adds what `mutants.toml` says to what was found in the sources.
pub fn add(text: &str, sources: &Sources, found: &mut Found) -> Result<(), Error> {
    let file: File = toml::from_str(text)?;
    let mut stale = Vec::new();
    for by_hand in file.mutant {
        match by_hand.locate(sources, found) {
            Ok(mutant) => found.mutants.push(mutant),
            Err(why) => stale.push(why),
        }
    }
    for Witness { of, witness } in file.witness {
        match found.mutants.iter_mut().find(|mutant| mutant.id() == of) {
            Some(mutant) => mutant.witness = Some(witness),
            None => stale.push(format!("a witness of `{of}`: there is no such mutant")),
        }
    }
    for Explained { of, why } in file.explained {
        let mutant = found.mutants.iter_mut().find(|mutant| mutant.id() == of).map(|mutant| &mut mutant.why);
        let place = found.places.iter_mut().find(|place| place.id() == of).map(|place| &mut place.why);
        match mutant.or(place) {
            Some(explained) => *explained = Some(why),
            None => stale.push(format!("an explanation of `{of}`: there is no such mutant or place")),
        }
    }
    let mut seen = HashSet::new();
    for mutant in &found.mutants {
        if !seen.insert(mutant.id()) {
            stale.push(format!("`{}` is there twice", mutant.id()));
        }
        if !mutant.modelled && mutant.witness.is_none() && mutant.why.is_none() {
            stale.push(format!("`{}` is not compiled under loom: it needs a witness", mutant.id()));
        }
    }
    for place in found.places.iter().filter(|place| place.why.is_none()) {
        if !found.mutants.iter().any(|mutant| place.holds(mutant)) {
            stale.push(format!("`{}` is not compiled under loom, and has no mutant with a witness", place.id()));
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(Error::Stale(stale)) }
}

impl ByHand {
    fn locate(self, sources: &Sources, found: &Found) -> Result<Mutant, String> {
        let first = Also { file: None, find: self.find, replace: self.replace };
        let edits = std::iter::once(first).chain(self.also);
        let edits =
            edits.map(|edit| locate(edit, &self.file, sources).map_err(|why| format!("`{}`: {why}", self.name)));
        let mut mutant = Mutant {
            file: self.file.clone(),
            name: self.name.clone(),
            change: self.what,
            edits: edits.collect::<Result<_, _>>()?,
            modelled: true,
            witness: self.witness,
            why: None,
        };
        mutant.modelled = !found.places.iter().any(|place| place.holds(&mutant));
        Ok(mutant)
    }
}

/// Where the text to be replaced is: it must be there exactly once.
fn locate(edit: Also, default: &str, sources: &Sources) -> Result<Edit, String> {
    let file = edit.file.unwrap_or_else(|| default.to_owned());
    let text = sources.get(&file).ok_or_else(|| format!("there is no file `{file}`"))?;
    let mut places = text.match_indices(&edit.find);
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Ok(Edit { file, range: at..at + edit.find.len(), text: edit.replace }),
        (None, _) => Err(format!("`{file}` has no such text (any more):\n{}", edit.find)),
        _ => Err(format!("`{file}` has this text more than once:\n{}", edit.find)),
    }
}
