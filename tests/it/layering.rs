//! The direction of dependency between the rooms of the house, and a few rules that no compiler holds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::docs::{repository, sources};

/// What each room may use besides itself and what everybody may use. A room that is not listed may use nothing else.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("limits", &[]),
    ("timeline", &[]),
    ("sfu", &["telemetry"]),
    ("store", &[]),
    ("accounts", &["store", "telemetry"]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("selftest", &["config"]),
    ("websocket", &[]),
    ("social", &["store", "telemetry", "websocket"]),
    ("signaling", &["websocket", "social", "accounts", "store", "sfu", "telemetry"]),
    ("api", &["signaling", "accounts", "store", "sfu", "telemetry"]),
    ("hls_fallback", &["sfu", "telemetry"]),
    ("elementary", &[]),
    ("demo", &["elementary", "telemetry"]),
    ("linksim", &[]),
    ("loadgen", &["elementary", "linksim"]),
    ("server", &["api", "signaling", "hls_fallback", "social", "accounts", "store", "sfu", "config", "telemetry", "selftest"]),
    ("cli", &["accounts", "config", "demo"]),
    ("main", &[]),
    ("lib", &[]),
    ("bin", &[]),
];

const EVERYBODY_MAY_USE: [&str; 3] = ["ids", "limits", "timeline"];

/// The parts of the media plane that others may see: the handle, what its messages are made of, and for the server its start.
const SFU_FACADE: [&str; 3] = ["handle", "codec", "rtp"];

/// Lines of one source file. Past it, split by idea.
const LINES_MAX: usize = 600;

#[test]
fn rooms_use_only_what_is_below_them() {
    let mut offences = Vec::new();
    for file in product_sources() {
        let room = room(&file);
        let allowed = MAY_USE.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is a new room: add it to the table"));
        for (number, line) in code_lines(&file) {
            for used in used_rooms(&line) {
                let is_fine = used == room || allowed.1.contains(&used.as_str()) || EVERYBODY_MAY_USE.contains(&used.as_str());
                if !is_fine {
                    offences.push(format!("{}:{number}: {room} must not use {used}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn the_control_plane_sees_the_media_plane_through_its_handle() {
    let mut offences = Vec::new();
    for file in product_sources().into_iter().filter(|file| matches!(room(file).as_str(), "signaling" | "api")) {
        for (number, line) in code_lines(&file) {
            let inside = line.split("crate::sfu::").skip(1).map(first_word);
            for part in inside.filter(|part| !part.is_empty() && part.starts_with(char::is_lowercase)) {
                if !SFU_FACADE.contains(&part.as_str()) {
                    offences.push(format!("{}:{number}: use sfu::handle, not sfu::{part}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn the_media_plane_knows_no_json_and_no_http() {
    let banned = ["serde_json", "axum", "hyper::", "reqwest", "sqlx", "jsonwebtoken"];
    let mut offences = Vec::new();
    for file in product_sources().into_iter().filter(|file| room(file) == "sfu") {
        for (number, line) in code_lines(&file) {
            if let Some(word) = banned.iter().find(|word| line.contains(*word)) {
                offences.push(format!("{}:{number}: {word}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn files_are_short_and_finished() {
    let mut offences = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if lines > LINES_MAX {
            offences.push(format!("{}: {lines} lines; split it by idea", file.display()));
        }
        if !text.trim_start().starts_with("//!") && !text.starts_with("#![doc") {
            offences.push(format!("{}: says nowhere (//!) what it is", file.display()));
        }
        for (number, line) in code_lines(&file) {
            for word in ["todo!", "dbg!", "unimplemented!", "#[allow("] {
                if line.contains(word) {
                    offences.push(format!("{}:{number}: {word}", file.display()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

/// Without what is compiled for tests only: a test may wire rooms together that must not know each other.
fn product_sources() -> Vec<PathBuf> {
    let is_test = |file: &PathBuf| {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        name == "tests"
            || name.ends_with("_tests")
            || name == "test_support"
            || name == "fake"
            || name == "redis_server"
            || name == "sim"
            || file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "sim")))
    };
    sources().into_iter().filter(|file| !is_test(file)).collect()
}

/// The first folder below `src/`, or the file's own name.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix(repository("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Lines outside comments, with their numbers from 1.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The rooms that a line names as `crate::room` or `crate::{room, room::..}`.
fn used_rooms(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in line.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group.split(',').map(|item| first_word(item.trim()))),
            None => rooms.push(first_word(rest)),
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}
