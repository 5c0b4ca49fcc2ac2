//! The house stands: a module uses the floors below its own, none above and no
//! neighbour. The floors are read from `src/lib.rs`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use reprise::cli::serve;

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The floor of each module, as `lib.rs` lists them.
fn floors() -> HashMap<String, usize> {
    let (mut floor, mut floors) = (0, HashMap::new());
    for line in fs::read_to_string(format!("{SRC}/lib.rs")).unwrap().lines() {
        if line.starts_with("// Floor ") {
            floor += 1;
        } else if let Some(module) = line.strip_prefix("pub mod ") {
            floors.insert(module.trim_end_matches(';').to_owned(), floor);
        }
    }
    floors
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The module that a file belongs to.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(SRC).unwrap();
    relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn no_module_looks_up_or_sideways() {
    let floors = floors();
    assert!(floors.len() > 10, "{floors:?}");
    let mut wrong = Vec::new();
    for path in sources(Path::new(SRC)) {
        let user = module(&path);
        let Some(&floor) = floors.get(&user) else { continue };
        for used in uses(&fs::read_to_string(&path).unwrap()) {
            if used != user && floors.get(&used).is_some_and(|&other| other >= floor) {
                wrong.push(format!("{} uses {used}", path.strip_prefix(SRC).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The modules that a source names by `crate::`.
fn uses(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = code.flat_map(|line| line.split("crate::").skip(1));
    names.map(|rest| rest.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()).collect()
}

#[test]
fn every_file_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "entity/src", "migration/src", "receiver/src", "tests"];
    for path in folders.iter().flat_map(|folder| sources(&root.join(folder))) {
        let source = fs::read_to_string(&path).unwrap();
        assert!(source.starts_with("//!"), "{} has no opening line", path.display());
    }
}

/// The settings of the server stand in the README with their variables and defaults.
#[test]
fn the_table_of_settings_is_that_of_the_program() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let command = serve::Options::augment_args(Command::new("serve"));
    let mut settings = 0;
    for setting in command.get_arguments() {
        let Some(variable) = setting.get_env().map(|name| name.to_str().unwrap()) else { continue };
        let row = readme.lines().find(|line| line.contains(&format!("| `{variable}` |")));
        let row = row.unwrap_or_else(|| panic!("{variable} is not in the README"));
        let flag = setting.get_long().map(|flag| format!("| `--{flag}` |")).unwrap_or_default();
        assert!(row.starts_with(&flag), "{row}");
        let default = setting.get_default_values().first().map(|value| value.to_str().unwrap());
        if let Some(default) =
            default.filter(|default| !["false", "info"].iter().any(|word| default.starts_with(word)))
        {
            assert!(row.contains(&format!("| `{default}` |")), "{row}: {default}");
        }
        settings += 1;
    }
    assert!(settings > 30, "{settings}");
}

/// The tests that `SECURITY.md` names: a path in backticks that ends in a test.
#[test]
fn the_promises_of_security_md_have_their_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named: Vec<_> =
        text.split('`').skip(1).step_by(2).filter_map(|code| code.rsplit_once("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for (module, test) in named {
        let path = module.replace("::", "/");
        let sources = [format!("tests/it/{path}.rs"), format!("src/{path}.rs")];
        let source = sources.iter().find_map(|path| fs::read_to_string(root.join(path)).ok());
        let source = source.unwrap_or_else(|| panic!("SECURITY.md names {module}, which is nowhere"));
        assert!(
            source.contains(&format!("fn {test}(")),
            "SECURITY.md names {test}, which is not in {module}"
        );
    }
}
