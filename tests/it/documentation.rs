//! What the documents say is true where a program can tell: settings, codes, tests that are
//! named, and links.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use reprise::cli::serve;
use reprise::rules::{limits, page};

/// The tests that documents name stand in one of these folders, or beside the code.
const TESTS: [&str; 3] = ["tests/it", "tests/faults", "src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All documents, by their paths from the root.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "bench", "migration"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect()
}

/// What stands between backticks within a line.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The settings of the server stand in the table with their variables and defaults.
#[test]
fn the_table_of_settings_is_that_of_the_program() {
    let table = read("docs/settings.md");
    let command = serve::Options::augment_args(Command::new("serve"));
    let mut settings = 0;
    for setting in command.get_arguments() {
        let Some(variable) = setting.get_env().map(|name| name.to_str().unwrap()) else { continue };
        let row = table.lines().find(|line| line.contains(&format!("| `{variable}` |")));
        let row = row.unwrap_or_else(|| panic!("{variable} is not in docs/settings.md"));
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

/// Each code that an error can have has a row in the tables of codes, and no other has one.
#[test]
fn the_tables_of_codes_are_those_of_the_program() {
    let page = read("docs/integrate.md");
    let tables = page.split_once("\n## Errors\n").unwrap().1.split("\n## ").next().unwrap();
    let told = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told: HashSet<&str> = told.collect();
    let (violations, answers) = (read("src/error.rs"), read("src/graphql/codes.rs"));
    let violations = violations.lines().filter(|line| line.contains("Self::") && line.contains("=> \""));
    let answers = answers.lines().filter(|line| line.starts_with("pub(crate) const "));
    let codes: HashSet<&str> = violations.chain(answers).filter_map(|line| line.split('"').nth(1)).collect();
    assert!(codes.len() > 20, "{codes:?}");
    assert_eq!(told, codes);
}

/// A path in backticks that ends in a test, or in the beginning of its name and a star: such a
/// test exists.
#[test]
fn the_tests_that_documents_name_exist() {
    let mut named = 0;
    for document in documents() {
        let text = read(&document);
        for (module, test) in code(&text).filter_map(|code| code.rsplit_once("::")) {
            let path = module.replace("::", "/");
            let is_module = root().join(format!("src/{path}/{test}.rs")).exists();
            if is_module || !module.starts_with(char::is_lowercase) || test.starts_with(char::is_uppercase) {
                continue;
            }
            let files = TESTS.map(|folder| format!("{folder}/{path}"));
            let mut sources = files.iter().flat_map(|file| sources(file)).peekable();
            let place = format!("{} names {module}::{test}", document.display());
            assert!(sources.peek().is_some(), "{place}, and there is no such file");
            let sought = match test.strip_suffix('*') {
                Some(beginning) => format!("fn {beginning}"),
                None => format!("fn {test}("),
            };
            assert!(sources.any(|source| source.contains(&sought)), "{place}, which is not there");
            named += 1;
        }
    }
    assert!(named > 80, "{named}");
}

/// The source of a module, and those of its parts.
fn sources(module: &str) -> Vec<String> {
    let parts = fs::read_dir(root().join(module)).into_iter().flatten();
    let parts = parts.map(|part| part.unwrap().path());
    let files = std::iter::once(root().join(format!("{module}.rs"))).chain(parts);
    files.filter_map(|file| fs::read_to_string(file).ok()).collect()
}

/// Links between documents lead to a file, and to a heading in it.
#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for document in documents() {
        let text = read(&document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').map_or((target, None), |(a, b)| (a, Some(b)));
            let path = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let place = format!("{} leads to {target}", document.display());
            assert!(root().join(&path).exists(), "{place}, which is not there");
            if let Some(heading) = heading {
                assert!(anchors(&read(&path)).contains(heading), "{place}, which has no such heading");
            }
            links += 1;
        }
    }
    assert!(links > 15, "{links}");
}

/// What headings can be called by in a link.
fn anchors(text: &str) -> HashSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

/// A newcomer reads the first page in ten minutes.
#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 160, "{lines}");
}

/// The numbers of the contract stand in the table of limits.
#[test]
fn the_table_of_limits_has_the_numbers_of_the_code() {
    let page = read("docs/integrate.md");
    let rows: Vec<&str> = page.split_once("\n## Limits\n").unwrap().1.lines().collect();
    let kibibytes = |bytes: usize| format!("{} KiB", bytes / 1_024);
    for (what, number) in [
        ("targets that are active or pending", limits::TARGETS.to_string()),
        ("targets in all", limits::TARGETS_IN_ALL.to_string()),
        ("activations begun in an hour", limits::ACTIVATIONS.to_string()),
        ("signing keys of a target", limits::SIGNING_KEYS.to_string()),
        ("events in one call", "1,000".to_owned()),
        ("payload of an event", kibibytes(limits::PAYLOAD_BYTES)),
        ("page of a list", page::MAX.to_string()),
    ] {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {what}"))).unwrap();
        let told = row.split('|').nth(2).unwrap();
        assert!(
            told.split([' ', ';', ',']).any(|word| word == number) || told.contains(&number),
            "{row}: {number}"
        );
    }
    assert_eq!(limits::EVENTS_PER_CALL, 1_000);
}

/// What the server writes at the level of information or above, operators can look up.
#[test]
fn every_line_of_the_log_is_explained() {
    let page = read("docs/operate.md");
    let table = page.split_once("\n## Log\n").unwrap().1.split("\n## ").next().unwrap();
    let told: Vec<&str> = code(table).map(|line| line.trim_end_matches('…').trim_end()).collect();
    let mut lines = 0;
    for source in files("src").iter().map(|path| fs::read_to_string(path).unwrap()) {
        let product = source.split("#[cfg(test)]").next().unwrap();
        let calls = ["warn!(", "error!(", "info!(", "line!(", " report("];
        for (name, call) in
            calls.iter().flat_map(|name| product.split(name).skip(1).map(move |call| (name, call)))
        {
            let Some(message) = message(call) else { continue };
            // Failures of our own share a row, by the words that they have in common.
            let is_failure = *name == " report(" && message.contains(" could not ");
            let is_told = told.iter().any(|told| !told.is_empty() && message.starts_with(told));
            assert!(is_told || is_failure, "docs/operate.md does not explain {message:?}");
            lines += 1;
        }
    }
    assert!(lines > 40, "{lines}");
}

/// The fixed text of a line: the last literal between the parentheses of the macro.
fn message(call: &str) -> Option<&str> {
    let (mut depth, mut is_text, mut last) = (0, None, None);
    for (at, c) in call.char_indices() {
        match (c, is_text) {
            ('"', None) => is_text = Some(at + 1),
            ('"', Some(begin)) => (is_text, last) = (None, Some(&call[begin..at])),
            ('(', None) => depth += 1,
            (')', None) if depth == 0 => break,
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    last.filter(|message| !message.contains('{'))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}
