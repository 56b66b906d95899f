//! The command line: sub-commands, and the flags that [`KEYS`] makes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, value_parser};

use crate::accounts::Grant;
use crate::config::{Config, ConfigErrors, KEYS, Key, Kind, Origin, Problem, Raw};
use crate::demo::DemoOptions;

/// What the program is asked to do.
#[derive(Debug)]
pub enum Command {
    Serve(Config),
    /// The start-up self-test alone.
    Check(Config),
    Demo(DemoOptions),
    Token(TokenArgs),
    User(UserArgs),
    Backup(CopyArgs),
    Restore(CopyArgs),
}

/// `courtside backup` and `courtside restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyArgs {
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub file: PathBuf,
}

/// `courtside token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenArgs {
    pub data_dir: PathBuf,
    pub name: String,
    pub broadcast: Option<String>,
    pub grants: Vec<Grant>,
    pub ttl_s: u64,
}

/// `courtside user add`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserArgs {
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub name: String,
    /// With one, the user can sign in; the password is the first line of standard input.
    pub email: Option<String>,
    pub operator: bool,
    pub broadcaster: bool,
    pub ttl_s: u64,
}

/// Why the command line leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum CommandLineError {
    /// Wrong usage, or a request for help: clap prints it and knows the exit code.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Config(#[from] ConfigErrors),
}

const DATA_DIR_ENV: &str = "COURTSIDE_DATA_DIR";
const DATA_DIR_DEFAULT: &str = ".data";

/// The whole command line, for parsing and for tests of the documentation.
pub fn command() -> clap::Command {
    let configured = |name: &'static str, about: &'static str| {
        clap::Command::new(name).about(about).arg(config_file()).args(KEYS.iter().map(key_arg)).arg(
            Arg::new("closed_view")
                .long("closed-view")
                .action(ArgAction::SetTrue)
                .conflicts_with("open_view")
                .help("Watching needs a token."),
        )
    };
    clap::Command::new("courtside")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Live sport in the browser, the moment it happens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(configured("serve", "Serve pages, signaling and media"))
        .subcommand(configured("check", "Run the start-up self-test and say what is wrong"))
        .subcommand(DemoOptions::augment_args(clap::Command::new("demo").about("Publish a synthetic match to a running server")))
        .subcommand(
            clap::Command::new("token")
                .about("Mint a capability token with this installation's key")
                .arg(text("broadcast", "SLUG", "The one broadcast it is for (id or slug). Default: all"))
                .args(Grant::ALL.map(|grant| {
                    Arg::new(grant.as_str()).long(grant.as_str()).action(ArgAction::SetTrue).help(match grant {
                        Grant::View => "May watch",
                        Grant::Publish => "May go live",
                        Grant::Chat => "May chat",
                        Grant::Call => "May join calls",
                        Grant::Moderate => "May moderate",
                    })
                }))
                .arg(text("name", "NAME", "The name others see").default_value("Token"))
                .arg(ttl("1d"))
                .arg(data_dir_arg("Where the signing key is")),
        )
        .subcommand(
            clap::Command::new("user").about("Manage users").subcommand_required(true).subcommand(
                clap::Command::new("add")
                    .about("Create a user and print a token for it")
                    .arg(Arg::new("name").value_name("NAME").required(true).help("The name others see"))
                    .arg(Arg::new("operator").long("operator").action(ArgAction::SetTrue).help("May do everything on this installation"))
                    .arg(Arg::new("broadcaster").long("broadcaster").action(ArgAction::SetTrue).help("May make broadcasts"))
                    .arg(text("email", "ADDRESS", "Make an account that can sign in; its password is the first line of standard input"))
                    .arg(ttl("365d"))
                    .arg(data_dir_arg("Where the database and the signing key are"))
                    .arg(database_url_arg()),
            ),
        )
        .subcommand(copy_command("backup", "Copy the database to a file, also while the server runs", "The file to make"))
        .subcommand(copy_command("restore", "Put a backup in the place of the database, while the server does not run", "The backup"))
}

fn copy_command(name: &'static str, about: &'static str, file: &'static str) -> clap::Command {
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf)).help(file);
    clap::Command::new(name).about(about).arg(file).arg(data_dir_arg("Where the database is")).arg(database_url_arg())
}

fn key_arg(key: &Key) -> Arg {
    let arg = Arg::new(key.toml).long(key.flag).env(key.env).value_name(key.value).help(match key.default {
        Some(default) => format!("{} [default: {default}]", key.help),
        None => key.help.to_owned(),
    });
    // Values stay texts here, so that all wrong ones are reported together.
    let arg = arg.allow_negative_numbers(true);
    match key.kind {
        Kind::One => arg.action(ArgAction::Set).hide_env_values(key.is_secret()),
        Kind::Many => arg.action(ArgAction::Append).value_delimiter(','),
        Kind::Switch => arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}

fn config_file() -> Arg {
    Arg::new("config")
        .long("config")
        .env("COURTSIDE_CONFIG")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("A TOML file with further settings")
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn data_dir_arg(help: &'static str) -> Arg {
    Arg::new("data-dir")
        .long("data-dir")
        .env(DATA_DIR_ENV)
        .value_name("DIR")
        .default_value(DATA_DIR_DEFAULT)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn database_url_arg() -> Arg {
    let key = KEYS.iter().find(|key| key.toml == "database_url").expect("is in the table");
    Arg::new("database-url").long(key.flag).env(key.env).hide_env_values(true).value_name(key.value).help(key.help)
}

fn ttl(default: &'static str) -> Arg {
    Arg::new("ttl")
        .long("ttl")
        .value_name("TIME")
        .default_value(default)
        .value_parser(parse_ttl)
        .help("How long the token is valid: a number with s, m, h or d")
}

fn parse_ttl(text: &str) -> Result<u64, &'static str> {
    const RIGHT: &str = "a number with s, m, h or d, such as 90m or 7d";
    let unit = text.chars().last().ok_or(RIGHT)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(RIGHT),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| RIGHT)?;
    number.checked_mul(seconds).filter(|total| (1..=100 * 365 * 24 * 3600).contains(total)).ok_or(RIGHT)
}

/// Reads a command line (with the program's name first), the environment and the configuration file it names.
///
/// # Errors
/// [`CommandLineError`].
pub fn parse_command_line(args: impl IntoIterator<Item = OsString>) -> Result<Command, CommandLineError> {
    let matches = command().try_get_matches_from(args)?;
    let string = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned();
    let data_dir = |matches: &ArgMatches| matches.get_one::<PathBuf>("data-dir").cloned().expect("has a default");
    let copy_args = |matches: &ArgMatches| CopyArgs {
        data_dir: data_dir(matches),
        database_url: string(matches, "database-url"),
        file: matches.get_one::<PathBuf>("file").cloned().expect("is required"),
    };
    let ttl_s = |matches: &ArgMatches| matches.get_one::<u64>("ttl").copied().expect("has a default");
    Ok(match matches.subcommand().expect("a sub-command is required") {
        ("serve", matches) => Command::Serve(configuration(matches)?),
        ("check", matches) => Command::Check(configuration(matches)?),
        ("demo", matches) => Command::Demo(DemoOptions::from_arg_matches(matches)?),
        ("token", matches) => Command::Token(TokenArgs {
            data_dir: data_dir(matches),
            name: string(matches, "name").expect("has a default"),
            broadcast: string(matches, "broadcast"),
            grants: Grant::ALL.into_iter().filter(|grant| matches.get_flag(grant.as_str())).collect(),
            ttl_s: ttl_s(matches),
        }),
        ("user", matches) => {
            let (_, matches) = matches.subcommand().expect("a sub-command is required");
            Command::User(UserArgs {
                data_dir: data_dir(matches),
                database_url: string(matches, "database-url"),
                name: string(matches, "name").expect("is required"),
                email: string(matches, "email"),
                operator: matches.get_flag("operator"),
                broadcaster: matches.get_flag("broadcaster"),
                ttl_s: ttl_s(matches),
            })
        }
        ("backup", matches) => Command::Backup(copy_args(matches)),
        ("restore", matches) => Command::Restore(copy_args(matches)),
        (other, _) => unreachable!("clap knows no sub-command {other}"),
    })
}

fn configuration(matches: &ArgMatches) -> Result<Config, ConfigErrors> {
    let mut raw = Raw::default();
    let mut problems = Vec::new();
    if matches.get_flag("closed_view") {
        let key = KEYS.iter().find(|key| key.toml == "open_view").expect("is in the table");
        raw.offer(key, vec!["false".to_owned()], Origin::Flag("closed-view"));
    }
    for key in KEYS {
        let Some(values) = matches.get_many::<String>(key.toml) else { continue };
        let origin = match matches.value_source(key.toml) {
            Some(ValueSource::EnvVariable) => Origin::Env(key.env),
            Some(_) | None => Origin::Flag(key.flag),
        };
        raw.offer(key, values.cloned().collect(), origin);
    }
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        read_file(path, &mut raw, &mut problems);
    }
    Config::resolve(&raw, problems)
}

fn read_file(path: &Path, raw: &mut Raw, problems: &mut Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => raw.offer_toml(&text, path, problems),
        Err(error) => problems.push(Problem {
            key: "config".to_owned(),
            origin: Some(Origin::File(path.to_owned())),
            what: format!("the file cannot be read: {error}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, CommandLineError> {
        parse_command_line(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_beat_the_file_and_switches_need_no_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("courtside.toml");
        std::fs::write(&path, "listen = '127.0.0.1:1'\nworkers = 3\nopen_view = true").unwrap();
        let line = format!("courtside serve --config {} --listen 127.0.0.1:9 --open-publish --closed-view", path.display());
        let Command::Serve(config) = parse(&line).unwrap() else { panic!("not serve") };
        assert_eq!((config.listen.port(), config.workers, config.open_publish, config.open_view), (9, 3, true, false));
    }

    #[test]
    fn repeated_flags_and_commas_are_lists() {
        let Command::Check(config) = parse("courtside check --public-ip 203.0.113.1 --public-ip 203.0.113.2,2001:db8::1").unwrap() else {
            panic!("not check")
        };
        assert_eq!(config.public_ips.len(), 3);
    }

    #[test]
    fn wrong_values_of_several_flags_are_reported_together() {
        let Err(CommandLineError::Config(errors)) = parse("courtside serve --listen x --workers 0 --config /nonexistent/file") else {
            panic!("must be refused")
        };
        let keys: Vec<_> = errors.0.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["config", "listen", "workers"]);
    }

    #[test]
    fn tokens_are_described_by_words() {
        let Command::Token(args) = parse("courtside token --broadcast final --publish --view --ttl 90m --name Ann --data-dir d").unwrap()
        else {
            panic!("not token")
        };
        assert_eq!(args.grants, [Grant::View, Grant::Publish]);
        assert_eq!((args.ttl_s, args.broadcast.as_deref(), args.name.as_str()), (5400, Some("final"), "Ann"));
        for wrong in ["90", "m", "0s", "1y", "99999999999999999999d", "é"] {
            assert!(parse(&format!("courtside token --ttl {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_operator_is_added_by_name() {
        let Command::User(args) = parse("courtside user add Ann --operator --email a@b.org").unwrap() else { panic!("not user") };
        assert!(args.operator && !args.broadcaster);
        assert_eq!(args.email.as_deref(), Some("a@b.org"));
        assert_eq!(args.name, "Ann");
    }

    #[test]
    fn backups_are_of_the_database_that_a_url_names() {
        let Command::Backup(args) = parse("courtside backup monday.db --database-url sqlite:x.db").unwrap() else { panic!("not backup") };
        assert_eq!((args.file.to_str(), args.database_url.as_deref()), (Some("monday.db"), Some("sqlite:x.db")));
        assert!(matches!(parse("courtside restore monday.db"), Ok(Command::Restore(_))));
        assert!(parse("courtside backup").is_err());
    }
}
