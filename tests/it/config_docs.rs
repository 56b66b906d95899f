//! `docs/configuration.md` names every key, and the command line knows the same ones.

use std::collections::BTreeSet;
use std::fmt::Write;

use courtside::cli;
use courtside::config::{KEYS, Kind};

use crate::support::docs::hold_table;

#[test]
fn every_key_is_documented_in_its_three_spellings() {
    let mut table = String::from("| TOML key | Flag | Variable | Default | Meaning |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let toml = match key.kind {
            Kind::One => format!("`{}`", key.toml),
            Kind::Many => format!("`{}` (list)", key.toml),
            Kind::Switch => format!("`{}` (true, false)", key.toml),
        };
        let flag = match key.kind {
            Kind::One => format!("`--{} {}`", key.flag, key.value),
            Kind::Many => format!("`--{} {}` ...", key.flag, key.value),
            Kind::Switch => format!("`--{}[=BOOL]`", key.flag),
        };
        let default = key.default.map_or_else(|| "-".to_owned(), |default| format!("`{default}`"));
        writeln!(table, "| {toml} | {flag} | `{}` | {default} | {} |", key.env, key.help).unwrap();
    }
    hold_table("docs/configuration.md", "keys", &table);
}

#[test]
fn the_command_line_takes_every_key_and_nothing_undocumented() {
    let command = cli::command();
    for name in ["serve", "check"] {
        let sub = command.find_subcommand(name).unwrap();
        let flags: BTreeSet<_> = sub.get_arguments().filter_map(clap::Arg::get_long).collect();
        let expected: BTreeSet<_> = KEYS.iter().map(|key| key.flag).chain(["config", "closed-view"]).collect();
        assert_eq!(flags, expected, "{name}");
        for key in KEYS {
            let arg = sub.get_arguments().find(|arg| arg.get_long() == Some(key.flag)).unwrap();
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(key.env));
        }
    }
}

#[test]
fn the_three_spellings_are_one_name() {
    for key in KEYS {
        assert_eq!(key.flag.replace('-', "_"), key.toml);
        assert_eq!(key.env, format!("COURTSIDE_{}", key.toml.to_uppercase()));
    }
}
