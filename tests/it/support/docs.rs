//! Tables in documents that the program's own lists must equal.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Holds the lines between `<!-- NAME -->` and `<!-- /NAME -->` of a document to `expected`; writes them under `UPDATE_GOLDEN=1`.
pub(crate) fn hold_table(document: &str, name: &str, expected: &str) {
    let path = repository(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{document} has no {open}")) + open.len();
    let end = start + text[start..].find(&close).unwrap_or_else(|| panic!("{document} has no {close}"));
    if text[start..end] == *expected {
        return;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    let documented: Vec<_> = text[start..end].lines().collect();
    for line in expected.lines().filter(|line| !documented.contains(line)) {
        eprintln!("not in {document}: {line}");
    }
    for line in documented.iter().filter(|line| !expected.lines().any(|known| known == **line)) {
        eprintln!("only in {document}: {line}");
    }
    panic!("{document} differs from the program; UPDATE_GOLDEN=1 writes it");
}

/// Every Rust file below `src/`.
pub(crate) fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository("src"), &mut found);
    found.sort();
    assert!(found.len() > 20, "the sources were not found");
    found
}
