//! The index of one recording on disk: a file of records to which records are added. Blocking: its caller is a thread for such things.
//!
//! What is added is written to disk (`fdatasync`) before [`Log::append`] returns. An addition that fails leaves the file as it was: what it
//! left is cut off before the next one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::record::{self, Read, Record};

/// See the file's head.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// `None` after a failure.
    file: Option<File>,
    /// Up to here the file is whole.
    len: u64,
    records: usize,
}

impl Log {
    /// Opens an index, made if there is none, and reads it.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, Read)> {
        let read = match fs::read(&path) {
            Ok(bytes) => record::decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Read::default(),
            Err(error) => return Err(error),
        };
        let mut log = Self { path, file: None, len: read.good_len as u64, records: read.records.len() };
        log.file = Some(log.reopen()?);
        sync_folder(&log.path)?;
        Ok((log, read))
    }

    /// Reads an index that is not written to.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn read(path: &Path) -> io::Result<Read> {
        fs::read(path).map(|bytes| record::decode(&bytes))
    }

    /// Adds records, all or none.
    ///
    /// # Errors
    /// Those of the file system; the file is as it was, or is mended before the next addition.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let text: String = records.iter().map(record::encode).collect();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.len += text.len() as u64;
        self.records += records.len();
        self.file = Some(file);
        Ok(())
    }

    /// Replaces everything by `records`, in one step.
    ///
    /// # Errors
    /// Those of the file system; the file is as it was.
    pub(super) fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        let text: String = records.iter().map(record::encode).collect();
        let beside = self.path.with_extension("new");
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&beside, &self.path)?;
            Ok(())
        });
        if let Err(error) = written {
            drop(fs::remove_file(&beside));
            return Err(error);
        }
        (self.len, self.records, self.file) = (text.len() as u64, records.len(), None);
        sync_folder(&self.path)
    }

    /// How many records the file has.
    pub(super) const fn records(&self) -> usize {
        self.records
    }

    /// The next addition finds a full disk.
    #[cfg(test)]
    pub(super) fn fill_up(&mut self) {
        self.file = Some(OpenOptions::new().write(true).open("/dev/full").expect("Linux has it"));
    }

    fn reopen(&self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.set_len(self.len)?;
        Ok(file)
    }
}

/// A name is on disk once its folder is.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trims(slots: std::ops::Range<u64>) -> Vec<Record> {
        slots.map(|slot| Record::Trim { slot }).collect()
    }

    #[test]
    fn a_torn_tail_is_cut_off_before_anything_is_added() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.log");
        let (mut log, read) = Log::open(path.clone()).expect("the index can be read");
        assert_eq!(read, Read::default());
        log.append(&trims(0..3)).expect("the index can be read");
        drop(log);
        let whole = fs::read(&path).expect("the index can be read");
        for torn in 0..whole.len() {
            fs::write(&path, &whole[..torn]).expect("the index can be read");
            let (mut log, read) = Log::open(path.clone()).expect("the index can be read");
            let kept = whole[..torn].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(read.records, trims(0..kept as u64), "torn at {torn}");
            log.append(&trims(7..8)).expect("the index can be read");
            let after = Log::read(&path).expect("the index can be read");
            assert_eq!(after.records, [trims(0..kept as u64), trims(7..8)].concat(), "torn at {torn}");
            assert_eq!(after.damaged, 0);
        }
    }

    #[test]
    fn an_addition_that_finds_no_room_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.log");
        let (mut log, _) = Log::open(path.clone()).expect("the index can be read");
        log.append(&trims(0..1)).expect("the index can be read");
        log.fill_up();
        assert_eq!(log.append(&trims(1..2)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        // Half of it had been written all the same.
        OpenOptions::new().append(true).open(&path).expect("the index can be read").write_all(b"0123").expect("the index can be read");
        log.append(&trims(2..3)).expect("the index can be written");
        assert_eq!(Log::read(&path).expect("the index can be read").records, [trims(0..1), trims(2..3)].concat());
        assert_eq!(log.records(), 2);
    }

    #[test]
    fn an_index_is_replaced_in_one_step_and_goes_on() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.log");
        let (mut log, _) = Log::open(path.clone()).expect("the index can be read");
        log.append(&trims(0..100)).expect("the index can be read");
        log.rewrite(&trims(98..100)).expect("the index can be read");
        assert_eq!(log.records(), 2);
        log.append(&trims(100..101)).expect("the index can be read");
        assert_eq!(Log::read(&path).expect("the index can be read").records, trims(98..101));
        assert!(!path.with_extension("new").exists());
    }
}
