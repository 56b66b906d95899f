pub mod protocol;
pub mod rest;
#[cfg(test)]
mod typescript;
