//! `README.md` says which model shows what: it names every model, and none that is not there.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

/// `module::function` of every test in `tests/models`.
fn models(package: &Path) -> BTreeSet<String> {
    let mut models = BTreeSet::new();
    for file in fs::read_dir(package.join("tests/models")).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let tests = text.split("#[test]\nfn ").skip(1).filter_map(|test| test.split_once('('));
        models.extend(tests.map(|(name, _)| format!("{module}::{name}")));
    }
    models
}

#[test]
fn every_model_is_on_the_page() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(package.join("README.md")).unwrap();
    let models = models(package);
    let modules: BTreeSet<&str> =
        models.iter().filter_map(|model| model.split_once("::")).map(|(module, _)| module).collect();
    let quoted = page.split('`').skip(1).step_by(2);
    let is_model = |text: &&str| text.split_once("::").is_some_and(|(module, _)| modules.contains(module));
    let named: BTreeSet<String> = quoted.filter(is_model).map(str::to_owned).collect();
    assert!(models.len() > 90, "only {} models were found", models.len());
    assert_eq!(models.difference(&named).collect::<Vec<_>>(), [""; 0], "models that README.md does not name");
    assert_eq!(
        named.difference(&models).collect::<Vec<_>>(),
        [""; 0],
        "models that README.md names, and that are not there"
    );
}
