//! The house stands: a module uses the floors below its own, none above and no
//! neighbour, and no files use each other in a circle. The floors are read from `src/lib.rs`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The floor of each module, as `lib.rs` lists them.
fn floors() -> HashMap<String, usize> {
    let (mut floor, mut floors) = (0, HashMap::new());
    for line in fs::read_to_string(format!("{SRC}/lib.rs")).unwrap().lines() {
        if line.starts_with("// Floor ") {
            floor += 1;
        } else if let Some(module) = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ") {
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

/// The GraphQL types refer to each other as the schema does.
const CIRCLES_OF_THE_SCHEMA: &str = "graphql::";

/// Within a room too: what a file uses stands below it, so one can read from the bottom up.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let files: HashMap<String, String> = sources(Path::new(SRC))
        .iter()
        .map(|path| (module_path(path), without_tests(&fs::read_to_string(path).unwrap()).to_owned()))
        .collect();
    let used: HashMap<&str, HashSet<String>> = files
        .iter()
        .map(|(user, source)| (user.as_str(), paths(source)))
        .map(|(user, paths)| (user, paths.iter().filter_map(|path| file_of(&files, path)).collect()))
        .collect();
    assert!(used.values().map(HashSet::len).sum::<usize>() > 300, "{used:?}");
    let mut circles: Vec<_> = used.keys().filter(|user| is_in_a_circle(&used, user)).collect();
    circles.retain(|user| !user.starts_with(CIRCLES_OF_THE_SCHEMA));
    circles.sort_unstable();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// A file by its path in the crate, as `delivery::attempt::task`.
fn module_path(path: &Path) -> String {
    let relative = path.strip_prefix(SRC).unwrap().with_extension("");
    relative.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::")
}

fn without_tests(source: &str) -> &str {
    source.split_once("#[cfg(test)]").map_or(source, |(code, _)| code)
}

/// All paths that a source names by `crate::`, those in braces one by one.
fn paths(source: &str) -> HashSet<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, " "])
        .collect();
    let mut paths = HashSet::new();
    for rest in code.split("crate::").skip(1) {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let (path, rest) = rest.split_at(end);
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => paths.extend(list.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => drop(paths.insert(path.to_owned())),
        }
    }
    paths
}

/// The file that has what a path names, which may stand some steps up.
fn file_of(files: &HashMap<String, String>, path: &str) -> Option<String> {
    let mut path = path;
    while !files.contains_key(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}

fn is_in_a_circle(used: &HashMap<&str, HashSet<String>>, start: &str) -> bool {
    let (mut seen, mut next) = (HashSet::new(), vec![start]);
    while let Some(user) = next.pop() {
        for other in used[user].iter().filter(|other| *other != user) {
            if other == start {
                return true;
            }
            if seen.insert(other.as_str()) {
                next.push(other);
            }
        }
    }
    false
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

/// Rules of the contract that are cited as `D3` have a row in `CONTRACT.md`.
#[test]
fn every_rule_that_is_cited_stands_in_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(root.join("CONTRACT.md")).unwrap();
    let rules: HashSet<&str> = contract
        .lines()
        .filter_map(|row| row.strip_prefix("| ")?.split_once(" | "))
        .map(|row| row.0)
        .collect();
    let folders = ["src", "entity/src", "migration/src", "receiver/src", "tests", "bench"];
    let mut cited = 0;
    for path in folders.iter().flat_map(|folder| sources(&root.join(folder))) {
        let source = fs::read_to_string(&path).unwrap();
        let comments = source.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
        for rule in comments.flat_map(citations) {
            assert!(rules.contains(rule), "{} cites {rule}, which CONTRACT.md has not", path.display());
            cited += 1;
        }
    }
    assert!(cited > 150, "{cited}");
}

/// The words of a line that are a capital and one or two digits.
fn citations(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| {
        let (letter, number) = word.split_at_checked(1).unwrap_or_default();
        letter.chars().all(|c| c.is_ascii_uppercase())
            && (1..=2).contains(&number.len())
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// A panic must not become a second failure elsewhere, which the locks of the standard library leave to each
/// place that takes one.
#[test]
fn no_lock_can_be_poisoned() {
    for path in sources(Path::new(SRC)) {
        let source = fs::read_to_string(&path).unwrap();
        let mut imports = source.split("std::sync::").skip(1).filter_map(|rest| rest.split(';').next());
        let is_poisonous = imports.any(|names| names.contains("Mutex") || names.contains("RwLock"));
        assert!(!is_poisonous, "{} takes a lock of std; take one of parking_lot", path.display());
    }
}

/// With `--log-format json` a line is one object, in which the fields of an event stand beside these; those
/// of a span stand beside its name.
#[test]
fn no_key_stands_twice_in_a_line_of_the_log() {
    let events = &["error!(", "warn!(", "info!(", "debug!(", "trace!(", "event!("][..];
    let spans = &["span!("][..];
    let mut seen = 0;
    for path in sources(Path::new(SRC)) {
        let source = fs::read_to_string(&path).unwrap();
        for (macros, taken) in
            [(events, &["timestamp", "level", "message", "target", "span"][..]), (spans, &["name"])]
        {
            for call in macros.iter().flat_map(|name| source.split(name).skip(1)) {
                let mut fields: Vec<_> =
                    parts(call).iter().filter_map(|part| field(part)).map(str::to_owned).collect();
                seen += fields.len();
                fields.sort_unstable();
                let twice = fields.windows(2).find(|two| two[0] == two[1]).map(|two| &two[0]);
                let wrong = fields.iter().find(|field| taken.contains(&field.as_str())).or(twice);
                assert_eq!(wrong, None, "in the log of {}", path.display());
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn the_fields_of_a_log_line_are_found_in_its_source() {
    for (call, expected) in [
        (r#"%target, level = f(1, "a, b"), "text: {}", f(x)); other(message = 1)"#, &["target", "level"][..]),
        (r#"target: "sql", ?error, "a \" b, c = {c}")"#, &["error"]),
        (r"parent: &span, Level::INFO, mail.id = %id)", &["mail.id"]),
        (r#""request", request_id = %id, operation = field::Empty)"#, &["request_id", "operation"]),
        (r#""only a text")"#, &[]),
    ] {
        let parts = parts(call);
        assert_eq!(parts.iter().filter_map(|part| field(part)).collect::<Vec<_>>(), expected, "{call}");
    }
}

/// The parts of a call, from its opening bracket on.
fn parts(call: &str) -> Vec<String> {
    let (mut parts, mut depth, mut is_quoted, mut is_escaped) = (vec![String::new()], 1, false, false);
    for c in call.chars() {
        match c {
            _ if is_quoted => (is_quoted, is_escaped) = (is_escaped || c != '"', !is_escaped && c == '\\'),
            '"' => is_quoted = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 1 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 1 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts
}

/// The name of the field that a part of a call is, if it is one.
fn field(part: &str) -> Option<&str> {
    let part = part.trim().trim_start_matches(['%', '?']);
    let end = part.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(part.len());
    let (name, rest) = part.split_at(end);
    let is_field = !name.is_empty() && (rest.is_empty() || rest.trim_start().starts_with('='));
    is_field.then_some(name)
}
