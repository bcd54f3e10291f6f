//! What a mutant is: a name, and the edits that make it.

use std::{collections::BTreeMap, ops::Range};

use crate::{error::Error, workshop::Test};

/// The production sources, by path from `ring/src`.
pub type Sources = BTreeMap<String, String>;

/// Text that takes the place of another.
#[derive(Debug, Clone)]
pub struct Edit {
    pub file: String,
    /// In bytes. Empty for an insertion.
    pub range: Range<usize>,
    pub text: String,
}

/// One change to the source that a model, or a witness, must notice.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The file it is listed under.
    pub file: String,
    /// Unique within the file, and without line numbers: it outlives changes elsewhere.
    pub name: String,
    /// What is changed, for the table.
    pub change: String,
    pub edits: Vec<Edit>,
    /// Whether what is changed is compiled under loom.
    pub modelled: bool,
    /// The test that notices what loom cannot see.
    pub witness: Option<Test>,
    /// Why nothing has to notice it, or why it need not compile.
    pub why: Option<String>,
}

/// A piece of production code that is not compiled under loom.
#[derive(Debug, Clone)]
pub struct Place {
    pub file: String,
    pub name: String,
    pub range: Range<usize>,
    /// Why there is nothing in it to break.
    pub why: Option<String>,
}

impl Mutant {
    /// How tables, options and `mutants.toml` name it.
    pub fn id(&self) -> String {
        format!("{} {}", self.file, self.name)
    }

    /// The files as the mutant has them: only those that it changes.
    pub fn apply(&self, sources: &Sources) -> Result<Sources, Error> {
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        // From the end, so that no edit moves what another is about.
        edits.sort_by_key(|edit| std::cmp::Reverse((edit.range.start, edit.range.end)));
        let mut changed = Sources::new();
        for edit in edits {
            let source = sources.get(&edit.file).ok_or_else(|| Error::NoFile(edit.file.clone()))?;
            let text = changed.entry(edit.file.clone()).or_insert_with(|| source.clone());
            text.replace_range(edit.range.clone(), &edit.text);
        }
        Ok(changed)
    }
}

impl Place {
    pub fn id(&self) -> String {
        format!("{} {}", self.file, self.name)
    }

    /// Whether the mutant changes something in here.
    pub fn holds(&self, mutant: &Mutant) -> bool {
        let inside = |edit: &Edit| self.range.start <= edit.range.start && edit.range.end <= self.range.end;
        mutant.edits.iter().any(|edit| edit.file == self.file && inside(edit))
    }
}
