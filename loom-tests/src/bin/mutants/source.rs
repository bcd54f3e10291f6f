//! The files of `ring/src`, and what is to be found in them.

use std::collections::BTreeSet;

use syn::visit::Visit;

use crate::{
    cfg::Compiled,
    error::Error,
    find::Finder,
    mutant::{Edit, Mutant, Place, Sources},
};

/// What mutants of torn operations need, put at the end of `sync.rs`.
const TORN: &str = include_str!("torn.rs");

/// What was found in all files.
#[derive(Debug, Default)]
pub struct Found {
    pub mutants: Vec<Mutant>,
    pub places: Vec<Place>,
}

/// Follows the modules from `lib.rs` on, so that what is compiled is what is looked at.
pub fn search(sources: &Sources) -> Result<Found, Error> {
    let everywhere = Compiled { in_production: true, under_loom: true };
    let (mut found, mut problems, mut seen) = (Found::default(), Vec::new(), BTreeSet::new());
    let mut files = vec![("lib.rs".to_owned(), everywhere)];
    while let Some((file, compiled)) = files.pop() {
        let text = sources.get(&file).ok_or_else(|| Error::NoFile(file.clone()))?;
        let parsed = syn::parse_file(text).map_err(|source| Error::Parse { file: file.clone(), source })?;
        seen.insert(file.clone());
        if !compiled.in_production {
            continue;
        }
        if !compiled.under_loom {
            let name = "the whole file".to_owned();
            found.places.push(Place { file: file.clone(), name, range: 0..text.len(), why: None });
        }
        let mut finder = Finder::new(&file, text, compiled);
        finder.visit_file(&parsed);
        for (path, compiled) in &finder.modules {
            match file_of(sources, &file, path) {
                Some(module) => files.push((module, *compiled)),
                None => problems.push(format!("ring/src/{file}: no file for the module `{}`", path.join("::"))),
            }
        }
        problems.append(&mut finder.problems);
        found.mutants.append(&mut finder.mutants);
        found.places.append(&mut finder.places);
    }
    let lost = sources.keys().filter(|file| !seen.contains(*file));
    problems.extend(lost.map(|file| format!("ring/src/{file}: no module")));
    if !problems.is_empty() {
        return Err(Error::NotUnderstood(problems));
    }
    support_torn(sources, &mut found.mutants)?;
    Ok(found)
}

/// The file of a module that is declared in `file`.
fn file_of(sources: &Sources, file: &str, module: &[String]) -> Option<String> {
    let below = match file.rsplit_once('/') {
        _ if file == "lib.rs" => String::new(),
        Some((folder, "mod.rs")) => format!("{folder}/"),
        _ => format!("{}/", file.strip_suffix(".rs")?),
    };
    let stem = format!("{below}{}", module.join("/"));
    [format!("{stem}.rs"), format!("{stem}/mod.rs")].into_iter().find(|file| sources.contains_key(file))
}

/// Gives mutants of torn operations the trait that they use.
fn support_torn(sources: &Sources, mutants: &mut [Mutant]) -> Result<(), Error> {
    let file = ["sync.rs", "sync/mod.rs"].into_iter().find(|file| sources.contains_key(*file));
    let file = file.ok_or_else(|| Error::NoFile("sync.rs".to_owned()))?;
    let end = sources[file].len();
    for mutant in mutants.iter_mut().filter(|mutant| mutant.edits.iter().any(|edit| edit.text.contains("Torn"))) {
        mutant.edits.push(Edit { file: file.to_owned(), range: end..end, text: TORN.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file: &str) -> Vec<String> {
        let files = [("lib.rs", "mod sync; mod a;"), ("sync.rs", ""), ("a.rs", file)];
        let sources = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
        search(&sources).unwrap().mutants.iter().map(|mutant| mutant.name.clone()).collect()
    }

    #[test]
    fn orderings_and_torn_operations() {
        let found = names(
            "impl A { fn f(&self) { self.x.swap(1, Ordering::AcqRel); self.x.load(Ordering::Relaxed);
                self.cells[0].y.compare_exchange(0, 1, Ordering::Release, Ordering::Acquire); self.x.swap(2, Ordering::AcqRel); } }",
        );
        let expected = [
            "A::f: x.swap AcqRel to Acquire",
            "A::f: x.swap AcqRel to Release",
            "A::f: x.swap torn",
            "A::f: y.compare_exchange Release to Relaxed",
            "A::f: y.compare_exchange, failure Acquire to Relaxed",
            "A::f: y.compare_exchange torn",
            "A::f: x.swap AcqRel to Acquire (2)",
            "A::f: x.swap AcqRel to Release (2)",
            "A::f: x.swap torn (2)",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn macros_fences_and_generations() {
        let found = names(
            "fn f() { fence(Ordering::SeqCst); compiler_fence(Ordering::SeqCst); if (a ^ b) & m != 0 { assert!((a ^ b) & m == 0); }
                matches!(s.load(Ordering::Acquire) & 7, 1 | 2 if true) }
             #[cfg(test)] mod tests { fn g() { s.load(Ordering::Acquire); } }",
        );
        let expected = [
            "f: fence left out",
            "f: compiler_fence left out",
            "f: generation not compared",
            "f: generation not compared (2)",
            "f: s.load Acquire to Relaxed",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = [
            "fn f() { g(Ordering::Acquire) }",
            "macro_rules! m { () => { x.load(Ordering::Acquire) } }",
            "fn f() { strange!(x => y.load(Ordering::Acquire)) }",
            "fn f(#[cfg(test)] x: u8) {}",
            "mod b;",
        ];
        for text in refused {
            let files = [("lib.rs", "mod sync; mod a;"), ("sync.rs", ""), ("a.rs", text)];
            let sources = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
            assert!(matches!(search(&sources), Err(Error::NotUnderstood(_))), "{text}");
        }
    }

    #[test]
    fn every_mutant_is_the_source_but_for_its_edits() {
        let text = "fn f() { x.swap(1, Ordering::Acquire); }";
        let files = [("lib.rs", "mod sync; mod a;"), ("sync.rs", "//\n"), ("a.rs", text)];
        let sources = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
        let mutants = search(&sources).unwrap().mutants;
        assert_eq!(mutants[0].apply(&sources).unwrap()["a.rs"], "fn f() { x.swap(1, Ordering::Relaxed); }");
        let torn = mutants[1].apply(&sources).unwrap();
        assert!(
            torn["a.rs"].ends_with("x.torn_swap(1, Ordering::Acquire); }") && torn["a.rs"].contains("use crate::sync")
        );
        assert!(torn["sync.rs"].starts_with("//\n") && torn["sync.rs"].contains("trait Torn"));
    }
}
