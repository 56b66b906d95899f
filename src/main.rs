//! Arguments -> [`Command`] -> telemetry -> the room that does it.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use courtside::accounts::{Claims, Tokens, account_by_operator};
use courtside::cli::{Command, CommandLineError, TokenArgs, UserArgs, parse_command_line};
use courtside::config::{Config, LogConfig, LogFormat};
use courtside::demo;
use courtside::ids::UserId;
use courtside::selftest::{self, Finding};
use courtside::server::{self, TOKEN_KEY_FILE};
use courtside::store::{self, Role, Store, UserRecord};
use courtside::telemetry;

/// Wrong usage or configuration, as other programs have it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = match parse_command_line(std::env::args_os()) {
        Ok(command) => command,
        Err(CommandLineError::Usage(usage)) => usage.exit(),
        Err(CommandLineError::Config(errors)) => {
            eprintln!("{errors}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            // Every error of ours says its cause in its own words.
            eprintln!("courtside: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| anyhow::anyhow!("no runtime: {error}"))?;
    match command {
        Command::Serve(config) => {
            telemetry::init_logs(&config.log)?;
            let metrics = telemetry::init_metrics()?;
            runtime.block_on(server::run(config, metrics))?;
        }
        Command::Check(config) => return Ok(check(&config)),
        Command::Demo(options) => {
            telemetry::init_logs(&LogConfig { filter: "info".to_owned(), format: LogFormat::Text })?;
            runtime.block_on(demo::run(options))?;
        }
        Command::Token(args) => println!("{}", mint(&args)?),
        Command::Backup(args) => {
            let database = server::database(args.database_url.as_deref(), &args.data_dir)?;
            runtime.block_on(store::backup(&database, &args.file))?;
            eprintln!("copied {database} to {}; {} is not in it: keep a copy of that too", args.file.display(), TOKEN_KEY_FILE);
        }
        Command::Restore(args) => {
            let database = server::database(args.database_url.as_deref(), &args.data_dir)?;
            match runtime.block_on(store::restore(&database, &args.file))? {
                Some(replaced) => eprintln!("restored {database}; what was there before is {}", replaced.display()),
                None => eprintln!("restored {database}"),
            }
        }
        Command::User(args) => println!("{}", runtime.block_on(add_user(&args))?),
    }
    // After a second signal something may still be under way: it is not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn check(config: &Config) -> ExitCode {
    let findings = selftest::judge(config, &selftest::probe(config));
    for finding in &findings {
        println!("{finding}");
    }
    if findings.iter().any(|finding| matches!(finding, Finding::Error(_))) {
        return ExitCode::FAILURE;
    }
    println!("ok: this host can serve");
    ExitCode::SUCCESS
}

fn mint(args: &TokenArgs) -> anyhow::Result<String> {
    let tokens = Tokens::load_or_make(&args.data_dir.join(TOKEN_KEY_FILE))?;
    Ok(tokens.mint(&Claims {
        sub: UserId::random(&mut rand::rng()),
        name: args.name.clone(),
        exp: unix_s() + args.ttl_s,
        broadcast: args.broadcast.clone(),
        grants: args.grants.clone(),
        operator: false,
        broadcaster: false,
        guest: false,
    }))
}

async fn add_user(args: &UserArgs) -> anyhow::Result<String> {
    let store = Store::open(&server::database(args.database_url.as_deref(), &args.data_dir)?).await?;
    let tokens = Tokens::load_or_make(&args.data_dir.join(TOKEN_KEY_FILE))?;
    let roles = [(args.broadcaster, Role::Broadcaster), (args.operator, Role::Operator)];
    let roles = roles.into_iter().filter_map(|(is_given, role)| is_given.then_some(role)).collect();
    let now_ms = unix_s() * 1000;
    let user = match &args.email {
        Some(email) => {
            let account = account_by_operator(&args.name, email, first_line()?, roles, now_ms)?;
            store.add_account(&account).await?;
            account.user
        }
        None => {
            let user = UserRecord { id: UserId::random(&mut rand::rng()), name: args.name.clone(), roles, created_at_ms: now_ms };
            store.save_user(&user).await?;
            user
        }
    };
    store.close().await;
    eprintln!("created user {} ({}); the token on standard output is the only copy", user.name, user.id);
    Ok(tokens.mint(&Claims {
        sub: user.id,
        name: user.name,
        exp: unix_s() + args.ttl_s,
        broadcast: None,
        grants: Vec::new(),
        operator: args.operator,
        broadcaster: args.broadcaster,
        guest: false,
    }))
}

/// A password that is piped in: an argument would be seen by everybody on the host.
fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| anyhow::anyhow!("standard input has no password: {error}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a shell: tokens are minted for the present")]
fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
