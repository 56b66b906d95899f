//! Small secrets in the data directory: made once, readable by their owner only, never half written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The bytes of `path`; when it does not exist, what `make` returns, written first.
///
/// Two processes that make the same file at once end with the same bytes: the first link wins, the other reads it.
///
/// # Errors
/// Any I/O error, and those of `make`.
pub fn load_or_make(path: &Path, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let bytes = make()?;
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    write_private(&draft, &bytes)?;
    // A hard link, unlike a rename, fails where a file already is.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(path),
        Err(error) => Err(error),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_stay_and_only_the_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deeper/secret");
        assert_eq!(load_or_make(&path, || Ok(b"one".to_vec())).unwrap(), b"one");
        assert_eq!(load_or_make(&path, || panic!("must not be made twice")).unwrap(), b"one");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }
}
